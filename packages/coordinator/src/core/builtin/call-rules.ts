import {
  type Command,
  type CommandAction,
  events,
  type RunOutcome,
  shownUrl,
} from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import type { Context } from "./context.ts";
import { endRun, isRun } from "./run-rules.ts";

type CallAction = Extract<CommandAction, { type: "CallWebhook" }>;

interface CallEnd {
  readonly outcome: RunOutcome;
  readonly status?: number | undefined;
  readonly attempts?: number;
  readonly body?: string;
  readonly reason?: string | undefined;
}

/** Rules on webhooks that rules have called. */
export const callRules: Readonly<Record<string, Rule>> = {
  "webhook-ended": on(events.WebhookEnded).do((context) => {
    const { node, outcome, status, attempts, body, reason } = context.event;
    const action = context.command.answered()?.action;
    if (action?.type !== "CallWebhook") {
      context.why(`ignored: nobody waits for the end of this call by ${node} any more`);
      return;
    }
    endCall(context, { node, action }, { outcome, status, attempts, body, reason });
  }),
};

/**
 * Ends what rules have asked the node for: nobody will hear how it went.
 *
 * To be called before its commands are taken out of the outbox.
 */
export function endEffects(context: Context, node: string, reason: string): void {
  for (const command of context.command.outstanding(node))
    endEffect(context, command, { outcome: "unknown", reason });
}

/** False when the command is none that a rule has asked for by `run` or `call`. */
export function endEffect(
  context: Context,
  command: Command,
  end: { readonly outcome: RunOutcome; readonly reason: string },
): boolean {
  if (isRun(command)) endRun(context, command, end);
  else if (isCall(command)) endCall(context, command, end);
  else return false;
  return true;
}

function endCall(
  context: Context,
  { node, action }: { readonly node: string; readonly action: CallAction },
  { outcome, status, attempts = 0, body = "", reason }: CallEnd,
): void {
  const { ref, asked } = action;
  const url = shownUrl(action.url);
  context.publish(events.CallEnded, {
    ...{ ref, node, url, outcome, attempts, body, asked },
    ...(status === undefined ? {} : { status }),
    ...(reason === undefined ? {} : { reason }),
  });
  context.why(`the call of ${url} by ${node}, asked for by ${asked.rule}: ${outcome}`);
}

function isCall(command: Command): command is Command & { readonly action: CallAction } {
  return command.action.type === "CallWebhook";
}
