import { events } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import type { Context } from "./context.ts";
import { beginOperation } from "./operation.ts";

/** Rules on what people decide about dead letters; which of them are moved is a fold of the request. */
export const deadLetterRules: Readonly<Record<string, Rule>> = {
  "dead-letter-retry-requested": on(events.DeadLetterRetryRequested).do((context) =>
    act(context, "retry", context.event, "decided once more"),
  ),
  "dead-letter-drop-requested": on(events.DeadLetterDropRequested).do((context) =>
    act(context, "drop", context.event, "forgotten"),
  ),
};

function act(
  context: Context,
  action: "retry" | "drop",
  request: {
    readonly operation: string;
    readonly events: readonly string[];
    readonly reason?: string | undefined;
  },
  outcome: string,
): void {
  const { operation, reason } = request;
  const [first = "", ...others] = request.events;
  const target = others.length === 0 ? first : `${request.events.length} dead letters`;
  beginOperation(context, operation, action, target, []);
  context.why(`${target}: ${outcome}${reason === undefined ? "" : `, as ${reason}`}`);
}
