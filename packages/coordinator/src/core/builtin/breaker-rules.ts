import { events } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { alertKeys } from "./alert-rules.ts";
import { isTripped, type Losses, massLoss, nodePolicy, tripReason } from "./breaker.ts";
import type { Context } from "./context.ts";
import { modeOf } from "./node-mode.ts";
import { beginOperation } from "./operation.ts";
import { placeAll } from "./placement.ts";

const lossesKey = "losses";

/** Rules on the breaker, which keeps all in its place when many nodes are lost at once. */
export const breakerRules: Readonly<Record<string, Rule>> = {
  "breaker-reset-requested": on(events.BreakerResetRequested).do((context) => {
    const { operation, reason } = context.event;
    beginOperation(context, operation, "breaker", "cluster", []);
    if (!isTripped(context.graph)) {
      context.why("the breaker is not tripped");
      return;
    }
    // Of the losses up to now a person knows; only later ones count again.
    context.memory.set(lossesKey, null);
    reset(context, reason ?? "a person reset it");
  }),

  "breaker-reset": on(events.BreakerReset).do((context) => {
    placeAll(context);
    context.why("what is placed on nodes that are down may move again");
  }),
};

/** A node was lost; trips the breaker when that makes too many. */
export function noteLoss(context: Context, node: string): void {
  const { graph, update, now } = context;
  const losses: Losses = { ...lossesOf(context), [node]: now };
  context.memory.set(lossesKey, losses);
  const [cluster] = graph.list("Cluster");
  if (cluster === undefined) return;
  const { breaker } = cluster.attributes;
  if (breaker !== undefined) {
    const nodes = [...new Set([...breaker.nodes, node])].sort();
    update.patch("Cluster", cluster.id, { breaker: { ...breaker, nodes } });
    return;
  }
  const policy = nodePolicy(graph);
  const total = graph.list("Node").filter((one) => modeOf(one) !== "decommissioned").length;
  const nodes = massLoss({ losses, now, total, policy });
  if (nodes.length === 0) return;
  const reason = tripReason(nodes, total, policy.breakerWindowMs);
  update.patch("Cluster", cluster.id, {
    breaker: { since: context.wallTime, reason, nodes: [...nodes] },
  });
  context.publish(events.BreakerTripped, { nodes: [...nodes], reason });
  context.alert.raise(alertKeys.breaker, { severity: "critical", text: reason });
  context.why(`the breaker trips: ${reason}`);
}

/** The node is back, or people have taken it out of the reckoning; the breaker is reset when that was the last. */
export function forgetLoss(context: Context, node: string): void {
  const { [node]: lost, ...others } = lossesOf(context);
  if (lost !== undefined)
    context.memory.set(lossesKey, Object.keys(others).length === 0 ? null : others);
  const [cluster] = context.graph.list("Cluster");
  const breaker = cluster?.attributes.breaker;
  if (cluster === undefined || breaker === undefined || !breaker.nodes.includes(node)) return;
  const nodes = breaker.nodes.filter((one) => one !== node);
  if (nodes.length === 0) reset(context, "all of the lost nodes are back");
  else context.update.patch("Cluster", cluster.id, { breaker: { ...breaker, nodes } });
}

function reset(context: Context, reason: string): void {
  const [cluster] = context.graph.list("Cluster");
  if (cluster === undefined) return;
  context.update.patch("Cluster", cluster.id, { breaker: undefined });
  context.publish(events.BreakerReset, { reason });
  context.alert.clear(alertKeys.breaker, reason);
  context.why(`the breaker is reset: ${reason}`);
}

function lossesOf(context: Context): Losses {
  return (context.memory.get(lossesKey) ?? {}) as Losses;
}
