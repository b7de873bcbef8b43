import { z } from "zod";
import { AlertSeverity, Asked, effectTextMax, RunOutcome } from "./effect.ts";
import { answer, defineEvent, Reason } from "./event-type.ts";
import { Name } from "./id.ts";

const Text = z.string().max(effectTextMax);

/** How a program of the node's allow-list ended, as its node tells it. Rules hear RunEnded. */
export const ProgramEnded = defineEvent({
  type: "ProgramEnded",
  sentBy: "node",
  schema: z.strictObject({
    node: Name,
    ...answer,
    outcome: RunOutcome,
    exit: z.number().int().optional(),
    output: Text,
    reason: Reason.optional(),
  }),
});

/** How a call of a webhook ended, as its node tells it. Rules hear CallEnded. */
export const WebhookEnded = defineEvent({
  type: "WebhookEnded",
  sentBy: "node",
  schema: z.strictObject({
    node: Name,
    ...answer,
    outcome: RunOutcome,
    status: z.number().int().optional(),
    attempts: z.number().int(),
    body: Text,
    reason: Reason.optional(),
  }),
});

/**
 * What a rule had run by `run` has ended; once for each `run`.
 *
 * `done`: exit code 0. `failed`: another, or it could not be started. `refused`: it was not begun. `timedOut`: it was ended
 * at the deadline. `unknown`: nobody can say whether it ran, or how it ended. `output`: the last 4,096 characters.
 */
export const RunEnded = defineEvent({
  type: "RunEnded",
  sentBy: "rule",
  schema: z.strictObject({
    ref: z.string(),
    node: z.string(),
    name: z.string(),
    outcome: RunOutcome,
    exit: z.number().int().optional(),
    output: Text,
    reason: Reason.optional(),
    asked: Asked,
  }),
});

/**
 * What a rule called by `call` has ended; once for each `call`.
 *
 * `done`: a status of 200 to 299. `failed`: another, or no answer in all attempts. `refused`: it was not begun. `timedOut`:
 * the deadline was over. `unknown`: nobody can say whether it arrived. `url` is without its query; `body`: the first 4,096
 * characters of the answer.
 */
export const CallEnded = defineEvent({
  type: "CallEnded",
  sentBy: "rule",
  schema: z.strictObject({
    ref: z.string(),
    node: z.string(),
    url: z.string(),
    outcome: RunOutcome,
    status: z.number().int().optional(),
    attempts: z.number().int(),
    body: Text,
    reason: Reason.optional(),
    asked: Asked,
  }),
});

const alert = {
  /** Id of the resource: `<file>/<key>`. */
  alert: z.string(),
  rule: z.string(),
  key: z.string(),
  severity: AlertSeverity,
  text: z.string(),
};

/** An alert stands that did not, or its severity is another now. */
export const AlertRaised = defineEvent({
  type: "AlertRaised",
  sentBy: "rule",
  schema: z.strictObject(alert),
});

/** An alert does not stand any more. */
export const AlertCleared = defineEvent({
  type: "AlertCleared",
  sentBy: "rule",
  schema: z.strictObject({ ...alert, reason: Reason.optional() }),
});
