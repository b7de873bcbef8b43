import { type GraphView, keyOf, type Resource } from "@halon/protocol";
import { memoryOf } from "../process-answers.ts";
import type { SimProcess } from "../processes.ts";
import type { ClusterInvariant, Scene } from "./cluster-invariant.ts";

/** What the end of the faults leads to has begun by then; µs. */
const settledUs = 4_000_000;

/**
 * C16: after the healing all that is wanted runs within 30 s, once, and nothing else; and replicas are equal.
 *
 * Wanted is what has a place: of that what is to run after something that cannot run waits with it.
 */
export function allRuns(): ClusterInvariant {
  return { id: "C16", name: "all that is wanted runs", missing: (scene) => firstMissing(scene) };
}

function firstMissing(scene: Scene): string | null {
  const { graph } = scene.committed;
  if (scene.world.now < scene.world.healedAt + settledUs) return "the faults have ended just now";
  return (
    nodeMissing(scene) ??
    first(graph.list("Deployment"), (deployment) => placeMissing(scene, deployment)) ??
    first(graph.list("ServiceName"), (slot) => slotMissing(scene, slot)) ??
    first([...scene.cluster.services.processes.values()], (process) => surplus(scene, process)) ??
    first([...scene.cluster.services.processes.values()], (process) => unwell(scene, process)) ??
    behind(scene)
  );
}

function first<T>(all: readonly T[], what: (one: T) => string | null): string | null {
  for (const one of all) {
    const found = what(one);
    if (found !== null) return found;
  }
  return null;
}

function nodeMissing({ cluster, committed }: Scene): string | null {
  return first(cluster.nodes, ({ name, status }) => {
    if (status === "down") return `${name} is not back`;
    const state = committed.graph.get("Node", name)?.attributes.state;
    return status === "up" && state !== "up"
      ? `${name} runs, and it is ${state ?? "unknown"}`
      : null;
  });
}

/** Of a deployment that may move no place is left on a node that is down while another could have it. */
function placeMissing({ committed }: Scene, deployment: Resource<"Deployment">): string | null {
  const { graph } = committed;
  const { on, onNodeLoss, apart, with: beside } = deployment.attributes;
  if (onNodeLoss === "wait" || on !== "any-node" || beside !== undefined || apart !== undefined)
    return null;
  const places = graph.out(keyOf("Deployment", deployment.id), "places", "ServiceName");
  // What is on a node in maintenance stays there, also when that node is gone for ever.
  const isWanted = places.some(
    ({ attributes: { node } }) =>
      isUp(graph, node) || graph.get("Node", node)?.attributes.mode === "maintenance",
  );
  const hasRoom = graph.list("Node").some(({ id }) => isUp(graph, id));
  if (places.length === 0 && hasRoom && !sharesName(graph, deployment.attributes.type))
    return `${deployment.id} has no place`;
  if (isWanted || !hasRoom || sharesName(graph, deployment.attributes.type)) return null;
  return `${deployment.id} is wanted on nodes that are down alone`;
}

/** With others of its name it may find no place. */
function sharesName(graph: GraphView, type: string): boolean {
  return graph.get("Service", type)?.attributes.serviceName !== type;
}

/** Two types of one name are wanted on a node: the other one has it. */
function isNameTaken(
  graph: GraphView,
  { id, attributes }: Resource<"ServiceName">,
  { attributes: { serviceName } }: Resource<"Service">,
): boolean {
  return graph
    .list("ServiceInstance", { node: attributes.node, state: "running" })
    .some(
      ({ attributes: { slot, type } }) =>
        slot !== id && graph.get("Service", type)?.attributes.serviceName === serviceName,
    );
}

function isUp(graph: GraphView, node: string): boolean {
  const known = graph.get("Node", node)?.attributes;
  return known?.state === "up" && known.mode === undefined;
}

function slotMissing(scene: Scene, slot: Resource<"ServiceName">): string | null {
  const { committed, cluster } = scene;
  const { graph } = committed;
  const { service, node, halted, broken } = slot.attributes;
  if (service.startsWith("halon-") || !isUp(graph, node)) return null;
  const key = keyOf("ServiceName", slot.id);
  const [type] = graph.out(key, "wants", "Service");
  const [instance] = graph.in(key, "holds", "ServiceInstance");
  if (type === undefined) return null;
  if (halted === true || waitsForOthers(graph, service, node)) return null;
  if (isNameTaken(graph, slot, type)) return null;
  if (instance?.attributes.state !== "running")
    return `${slot.id} is wanted and ${broken ?? instance?.attributes.state ?? "not started"}${because(instance)}`;
  const [configuration] = graph.out(key, "wants", "Configuration");
  const isConfigured =
    configuration === undefined ||
    graph.related(
      keyOf("ServiceInstance", instance.id),
      "has",
      keyOf("Configuration", configuration.id),
    );
  if (!isConfigured) return `${instance.id} has not the configuration that is wanted`;
  if (instance.attributes.version !== type.attributes.version)
    return `${instance.id} is of version ${instance.attributes.version}`;
  const live = [...cluster.services.processes.values()].filter(
    (process) => process.instance === instance.id,
  );
  return live.length === 1 ? null : `${live.length} processes of ${instance.id} live`;
}

function because(instance: Resource<"ServiceInstance"> | undefined): string {
  const reason = instance?.attributes.reason;
  return reason === undefined ? "" : `: ${reason}`;
}

/** What it is to run after does not run, or waits itself; exclusive ones wait for leases of nodes that are gone. */
function waitsForOthers(graph: GraphView, service: string, node: string): boolean {
  const { after = [], exclusive } = graph.get("Deployment", service)?.attributes ?? {};
  const instances = (name: string) => graph.list("ServiceInstance", { service: name });
  // Where it has a place on the same node, that one is waited for.
  const runs = (name: string): boolean => {
    const places = graph.out(keyOf("Deployment", name), "places", "ServiceName");
    const isHere = places.some(({ attributes }) => attributes.node === node);
    return instances(name).some(
      ({ attributes }) => attributes.state === "running" && (!isHere || attributes.node === node),
    );
  };
  if (after.some((name) => !runs(name))) return true;
  // It may run on a node that is gone, without a lease: a person has to say that it does not.
  return (
    exclusive !== undefined &&
    instances(service).some(
      ({ attributes }) => attributes.state === "unknown" && attributes.token === undefined,
    )
  );
}

function surplus({ committed, cluster }: Scene, { instance, slot }: SimProcess): string | null {
  const { graph } = committed;
  const node = cluster.nodes[slot];
  // On a machine whose `halond` is gone for ever nobody ends what has no keeper.
  if (node === undefined || node.status !== "up") return null;
  const known = graph.get("ServiceInstance", instance);
  if (known === undefined) return `${instance} lives, and the graph does not know it`;
  const wanted = graph.out(keyOf("ServiceName", known.attributes.slot), "wants", "Service");
  const { halted } = graph.get("ServiceName", known.attributes.slot)?.attributes ?? {};
  return wanted.length === 0 || halted === true ? `${instance} lives, and it is not wanted` : null;
}

/** What hangs or takes too much memory is ended by its node, which watches it. */
function unwell({ world, cluster }: Scene, process: SimProcess): string | null {
  const { instance, slot, state, plight, spawn } = process;
  if (cluster.nodes[slot]?.status !== "up" || state !== "running") return null;
  if (plight.hangsSinceUs !== null) return `${instance} hangs, and nobody has ended it`;
  const { memoryMb } = spawn.manifest;
  return memoryMb !== undefined && memoryOf(process, world.now) > memoryMb
    ? `${instance} takes more than its ${memoryMb} MiB, and nobody has ended it`
    : null;
}

/** Every standby has all records. */
function behind({ cluster, committed }: Scene): string | null {
  return first(cluster.nodes, ({ name, coordinator }) => {
    if (coordinator === null || !coordinator.isFollowing || coordinator.decider !== null)
      return null;
    const { index } = coordinator.folded;
    return index === committed.index ? null : `${name} has folded ${index} of ${committed.index}`;
  });
}
