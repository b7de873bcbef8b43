import type { GraphView, Resource } from "@halon/protocol";
import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant, Scene } from "./cluster-invariant.ts";

/** What the coordinator waits for: subjects of timers by the type of their event, and of commands. */
interface Waits {
  readonly timers: ReadonlySet<string>;
  readonly commands: ReadonlySet<string>;
}

/** A timer that is due fires within so much of the log's time, where somebody leads undisturbed; ms. */
const overdueMs = 10_000;

/**
 * C7: every resource in a passing state has a timer, a command that is out, or a node that is not there.
 *
 * An instance whose process is in the same state at its node has the deadlines of that node: commands to a node that was lost for a
 * moment are not repeated.
 * An instance that is unknown on a node that is up waits for the inventory, which is on its way, and one that failed may
 * wait for others or for its place: these are of C16.
 */
export function nothingStuck(): ClusterInvariant {
  let recordUs = 0;
  return {
    id: "C7",
    name: "nothing is stuck",
    afterRecord({ world }) {
      recordUs = world.now;
    },
    everySecond(scene) {
      const { graph } = scene.committed;
      const waits = waitsOf(scene);
      for (const instance of graph.list("ServiceInstance")) {
        const what = stuckInstance(graph, instance, waits);
        if (what !== null && !isPassingThere(scene, instance)) violated("C7", what);
      }
      for (const operation of graph.list("Operation", { state: "running" }))
        if (!waits.timers.has(`OperationDue ${operation.id}`))
          violated("C7", `${operation.id} runs, and no timer ends it`);
      for (const { id, attributes } of graph.list("Node", { state: "down" }))
        if (attributes.recovery?.state === "transient" && !waits.timers.has(`RecoveryDue ${id}`))
          violated("C7", `${id} is waited for, and no timer ends that`);
      lookAtTimers(scene, recordUs);
    },
  };
}

function stuckInstance(
  graph: GraphView,
  { id, attributes }: Resource<"ServiceInstance">,
  { timers, commands }: Waits,
): string | null {
  const { state, node, slot, service } = attributes;
  if (service.startsWith("halon-")) return null;
  if (state !== "starting" && state !== "stopping") return null;
  if (graph.get("Node", node)?.attributes.state !== "up") return null;
  if (commands.has(id) || timers.has(`RestartDue ${slot}`)) return null;
  return `${id} is ${state}, and neither a command nor a timer is about it`;
}

function isPassingThere({ cluster }: Scene, { id, attributes }: Resource<"ServiceInstance">) {
  const processes = [...cluster.services.processes.values()];
  return processes.some(({ instance, state }) => instance === id && state === attributes.state);
}

function waitsOf({ committed: { timers, outbox } }: Scene): Waits {
  const subjects = new Set<string>();
  for (const { event } of timers.toJSON()) {
    const data = event.data as Readonly<Record<string, unknown>>;
    const subject = data["slot"] ?? data["operation"] ?? data["node"] ?? data["instance"] ?? "";
    subjects.add(`${event.type} ${subject}`);
  }
  const commands = new Set<string>();
  for (const { action } of outbox.toJSON()) commands.add(action.instance);
  return { timers: subjects, commands };
}

/** While faults go on nobody may lead; after that timers must fire. */
function lookAtTimers({ world, committed }: Scene, recordUs: number): void {
  const first = committed.timers.first();
  if (first === undefined || world.phase !== "healing") return;
  const healedUs = Math.max(recordUs, world.healedAt);
  const passedMs = (world.now - healedUs) / 1000;
  if (passedMs - Math.max(0, first.due - committed.logTime) > overdueMs)
    violated("C7", `${first.key} is due since long, and does not fire`);
}
