import { events, type Resource } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { alertKeys } from "./alert-rules.ts";
import { nodePolicy } from "./breaker.ts";
import { bounded, type Context } from "./context.ts";
import { sendHook } from "./hook-command.ts";
import { modeOf } from "./node-mode.ts";

/** Sentences that are kept of what a node's state rests on. */
const evidenceMax = 32;

/** Rules that try to bring lost nodes back, until they are back or given up. */
export const recoveryRules: Readonly<Record<string, Rule>> = {
  "recovery-due": on(events.RecoveryDue).do((context) => {
    const { node, incarnation } = context.event;
    const known = context.graph.get("Node", node);
    if (known === undefined || known.attributes.incarnation !== incarnation) return;
    const { state, recovery } = known.attributes;
    if (state !== "down" || recovery?.state !== "transient") {
      context.why(`ignored: ${node} is not waited for`);
      return;
    }
    if (recovery.attempt >= recovery.of) giveUp(context, node, recovery);
    else attempt(context, known, { attempt: recovery.attempt + 1, of: recovery.of });
  }),

  "recover-hook-ended": on(events.HookEnded)
    .where(({ event }) => event.hook === "recover")
    .do((context) => {
      const { node, target, outcome, detail } = context.event;
      const said = detail === undefined ? "" : `: ${detail}`;
      const number = numberOf(context.event.instance);
      tell(context, target, `the recover command, run ${number} on ${node}: ${outcome}${said}`);
    }),

  "recover-hook-refused": on(events.CommandRefused).do((context) => {
    const action = context.command.answered()?.action;
    if (action?.type !== "RunHook" || action.hook !== "recover") return;
    const { node, reason } = context.event;
    tell(context, action.target, `${node} did not run the recover command: ${reason}`);
  }),

  "recover-hook-expired": on(events.CommandExpired)
    .where(({ event }) => event.action === "RunHook" && event.instance.startsWith("halon-recover@"))
    .do((context) => {
      const { node, instance } = context.event;
      const target = instance.slice(instance.indexOf("@") + 1, instance.lastIndexOf("#"));
      tell(context, target, `${node} did not tell in time how the recover command ended`);
    }),
};

/** A node is lost: attempts to bring it back begin, unless people said otherwise. */
export function beginRecovery(context: Context, node: string): void {
  const known = context.graph.get("Node", node);
  const { recoverAttempts, recoverEveryMs } = nodePolicy(context.graph);
  if (known === undefined || recoverAttempts === 0) return;
  if (modeOf(known) === "maintenance" || modeOf(known) === "decommissioned") return;
  const recovery = { state: "transient", attempt: 0, of: recoverAttempts } as const;
  context.update.patch("Node", node, { recovery });
  context.publish(events.NodeTransient, { node });
  const { incarnation } = known.attributes;
  context.timer.after(keyOf(node), recoverEveryMs, events.RecoveryDue, { node, incarnation });
}

/** The node is back: says so if it was waited for, or had been given up. */
export function endRecovery(context: Context, known: Resource<"Node">): void {
  const { recovery } = known.attributes;
  context.alert.clear(alertKeys.nodeGivenUp(known.id), "it is back");
  cancelRecovery(context, known.id);
  if (recovery === undefined) return;
  context.publish(events.NodeRecovered, { node: known.id, attempts: recovery.attempt });
  context.why(`${known.id} is back after ${recovery.attempt} attempts`);
}

/** Nobody tries to bring the node back any more. */
export function cancelRecovery(context: Context, node: string): void {
  context.timer.cancel(keyOf(node));
  context.alert.clear(alertKeys.nodeGivenUp(node), "it is not waited for any more");
  if (context.graph.get("Node", node)?.attributes.recovery === undefined) return;
  context.update.patch("Node", node, { recovery: undefined });
}

function attempt(
  context: Context,
  known: Resource<"Node">,
  { attempt: number, of }: { readonly attempt: number; readonly of: number },
): void {
  const { id: node } = known;
  const { recover, recoverEveryMs } = nodePolicy(context.graph);
  const { incarnation } = known.attributes;
  context.update.patch("Node", node, { recovery: { state: "transient", attempt: number, of } });
  context.publish(events.RecoveryAttempted, { node, attempt: number, of });
  context.timer.after(keyOf(node), recoverEveryMs, events.RecoveryDue, { node, incarnation });
  context.why(`attempt ${number} of ${of} to bring ${node} back`);
  if (recover === undefined) return;
  const sent = sendHook(context, "recover", node, recover);
  if (sent === undefined) tell(context, node, "no other node is up to run the recover command");
}

function giveUp(
  context: Context,
  node: string,
  { attempt: attempts, of }: { readonly attempt: number; readonly of: number },
): void {
  context.update.patch("Node", node, { recovery: { state: "givenUp", attempt: attempts, of } });
  context.publish(events.NodeGivenUp, { node, attempts });
  const text = `${node} is down and was given up after ${attempts} attempts`;
  context.alert.raise(alertKeys.nodeGivenUp(node), { severity: "critical", text });
  tell(context, node, `given up after ${attempts} attempts: a person has to look at it`);
}

/** Adds a sentence to what people read of a node that is down. */
function tell(context: Context, node: string, sentence: string): void {
  context.why(sentence);
  const known = context.graph.get("Node", node)?.attributes;
  if (known?.state !== "down") return;
  const evidence = [...(known.evidence ?? []), bounded(sentence)].slice(-evidenceMax);
  context.update.patch("Node", node, { evidence });
}

function numberOf(instance: string): string {
  return instance.slice(instance.lastIndexOf("#") + 1);
}

function keyOf(node: string): string {
  return `recover/${node}`;
}
