import { type DecisionRecord, keyOf } from "@halon/protocol";
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
 * failures break the service.
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

function forget(starts: Map<string, number[]>, data: unknown): void {
  const service = (data as Readonly<Record<string, unknown>>)["service"];
  for (const slot of [...starts.keys()])
    if (service === undefined || slot.startsWith(`${service}@`)) starts.delete(slot);
}
