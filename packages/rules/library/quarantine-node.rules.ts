/** Takes a node out of use on which several services have broken. */
import { type DoContext, defineRules, events, on, z } from "@halon/rules";
import { msOf, Time } from "./duration.ts";

const Options = z.strictObject({
  /** So many different services break on the node within that time. */
  services: z.number().int().min(1).max(1_000).default(3),
  within: Time.default("10m"),
  /** `drain`: its services go elsewhere. `maintenance`: they stay, and nothing is decided about them. */
  by: z.enum(["drain", "maintenance"]).default("drain"),
  /** So many nodes are in quarantine at once at most; of further ones people are told. */
  atMost: z.number().int().min(1).max(1_000).default(1),
});

/** By service: when it broke, log time in ms. */
type Broken = Readonly<Record<string, number>>;

const modes = { drain: "draining", maintenance: "maintenance" } as const;

export default defineRules(
  ({ services, within, by, atMost }) => {
    /** What a person has asked for may have ended the quarantine; the built-in rules have decided on it. */
    const release = ({ event, graph, memory, alert }: Release): void => {
      const { node } = event;
      alert.clear(`suspect ${node}`, "a person has taken care of it");
      if (memory.get(`quarantine/${node}`) === undefined) return;
      if (graph.get("Node", node)?.attributes.mode === modes[by]) return;
      memory.set(`quarantine/${node}`, null);
      memory.set(
        "nodes",
        quarantined(memory).filter((name) => name !== node),
      );
      alert.clear(`node ${node}`, "a person has taken care of it");
    };
    return {
      breaks: on(events.ServiceBroken).do(
        ({ event, envelope, graph, now, memory, alert, publish, why }) => {
          const { node, service } = event;
          const known = (memory.get(`broken/${node}`) ?? {}) as Broken;
          const recent = Object.entries(known).filter(([, at]) => at >= now - msOf(within));
          const broken = { ...Object.fromEntries(recent), [service]: now };
          memory.set(`broken/${node}`, broken);
          const names = Object.keys(broken);
          if (names.length < services) return;
          const { state, mode } = graph.get("Node", node)?.attributes ?? {};
          if (state !== "up" || mode !== undefined) return why(`${node} takes nothing already`);
          const text = `${names.length} services broke on ${node} within ${within}: ${names.sort().join(", ")}`;
          const others = quarantined(memory);
          if (others.length >= atMost) {
            const more = `${text}; it stays in use, for ${others.join(", ")} is in quarantine`;
            alert.raise(`suspect ${node}`, { severity: "critical", text: more });
            return;
          }
          memory.set(`broken/${node}`, null);
          memory.set(`quarantine/${node}`, true);
          memory.set("nodes", [...others, node]);
          const request = { operation: `${envelope.id}-quarantine`, node, reason: text };
          if (by === "drain") publish(events.NodeDrainRequested, request);
          else publish(events.NodeMaintenanceRequested, { ...request, on: true });
          alert.raise(`node ${node}`, { severity: "critical", text });
        },
      ),

      resumed: on(events.NodeResumeRequested).do(release),
      outOfMaintenance: on(events.NodeMaintenanceRequested).do(release),
      removed: on(events.NodeRemoveRequested).do(release),
    };
  },
  { options: Options },
);

type Release = Pick<DoContext<{ readonly node: string }>, "event" | "graph" | "memory" | "alert">;

/** Nodes in quarantine, by name. */
function quarantined(memory: { get(key: string): unknown }): readonly string[] {
  return (memory.get("nodes") ?? []) as readonly string[];
}
