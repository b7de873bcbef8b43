import { type DecisionRecord, type Firing, keyOf } from "@halon/protocol";
import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant, Scene } from "./cluster-invariant.ts";

/** Events after which a service has new tries: a person asked for something, or the code or configuration is another. */
const newTries: ReadonlySet<string> = new Set([
  "ClusterApplied",
  "ServiceStartRequested",
  "ServiceStopRequested",
  "ServiceRestartRequested",
  "ConfigurationRequested",
  "ConfigurationReverted",
  "ServiceExited",
]);

/**
 * C10: restarts stay within the policy of their type: of starts that a back-off led to there are fewer in a window than
 * failures break the service, and none is armed once there are so many; nor does a service break by a configuration while it
 * has one that has worked.
 */
export function restartPolicy(): ClusterInvariant {
  const starts = new Map<string, number[]>();
  return {
    id: "C10",
    name: "restarts keep to their policy",
    afterRecord(scene, record) {
      for (const decision of record.decisions) {
        const { event, firings } = decision;
        if (newTries.has(event.type)) forget(starts, event.data);
        if (event.type === "ServiceBroken") lookAtConfiguration(scene, event.data);
        for (const firing of firings) lookAtFailures(scene, record, firing);
        if (event.type !== "RestartDue") continue;
        for (const { commands } of firings)
          for (const { action } of commands)
            if (action.type === "StartService")
              note(scene, record, starts, action.instance, action.manifest.name);
      }
      // What was moved away and comes back to the slot is a new service there.
      for (const slot of starts.keys()) if (!isWanted(scene, slot)) starts.delete(slot);
    },
  };
}

function note(
  { committed }: Scene,
  { logTime }: DecisionRecord,
  starts: Map<string, number[]>,
  instance: string,
  type: string,
): void {
  const slot = instance.slice(0, instance.lastIndexOf("#"));
  const policy = committed.graph.get("Service", type)?.attributes.restart;
  if (policy === undefined) return;
  const recent = (starts.get(slot) ?? []).filter((at) => at > logTime - policy.windowMs);
  recent.push(logTime);
  starts.set(slot, recent);
  // A refused stop is tried again after a delay too, and may end in a start.
  if (recent.length > policy.maxFailures)
    violated(
      "C10",
      `${slot} is started ${recent.length} times within ${policy.windowMs} ms, and ${policy.maxFailures} failures break it`,
    );
}

function isWanted({ committed: { graph } }: Scene, slot: string): boolean {
  return graph.out(keyOf("ServiceName", slot), "wants", "Service").length > 0;
}

/** A slot whose failures are as many as break it gets no further restart. */
function lookAtFailures({ committed }: Scene, { index }: DecisionRecord, firing: Firing): void {
  for (const { key, value } of firing.memory) {
    if (!key.startsWith("failures/") || !Array.isArray(value)) continue;
    const slot = key.slice("failures/".length);
    const [type] = committed.graph.out(`ServiceName/${slot}`, "wants", "Service");
    const { maxFailures } = type?.attributes.restart ?? {};
    const isArmed = firing.timers.some(
      (timer) => timer.type === "arm" && timer.key === `builtin/restart/${slot}`,
    );
    if (maxFailures !== undefined && value.length >= maxFailures && isArmed)
      violated(
        "C10",
        `record ${index} restarts ${slot} after ${value.length} failures, and ${maxFailures} break it`,
      );
  }
}

/** Of a slot that breaks: as many failures of its configuration as its type allows lead back to one that has worked. */
function lookAtConfiguration({ committed: { graph, memories } }: Scene, data: unknown): void {
  const instance = String((data as Readonly<Record<string, unknown>>)["instance"]);
  const slot = instance.slice(0, instance.lastIndexOf("#"));
  const recalled = (key: string) =>
    (memories.get("builtin")?.get(`${key}/${slot}`) ?? {}) as Readonly<Record<string, unknown>>;
  const good = recalled("good");
  const trial = recalled("trial");
  const [wanted] = graph.out(`ServiceName/${slot}`, "wants", "Configuration");
  const [type] = graph.out(`ServiceName/${slot}`, "wants", "Service");
  if (wanted === undefined || type === undefined || trial["configuration"] !== wanted.id) return;
  const isOther = good["configuration"] !== undefined && good["configuration"] !== wanted.id;
  const { configTries } = type.attributes.restart;
  if (isOther && good["schema"] === trial["schema"] && Number(trial["failures"]) >= configTries)
    violated(
      "C10",
      `${slot} breaks after ${trial["failures"]} failures of its configuration, and it has one that has worked`,
    );
}

function forget(starts: Map<string, number[]>, data: unknown): void {
  const service = (data as Readonly<Record<string, unknown>>)["service"];
  for (const slot of [...starts.keys()])
    if (service === undefined || slot.startsWith(`${service}@`)) starts.delete(slot);
}
