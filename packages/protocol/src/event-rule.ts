import { z } from "zod";
import { defineEvent, Reason } from "./event-type.ts";
import { CommandId, InstanceId, Name } from "./id.ts";
import { JsonValue } from "./json.ts";

/** Time alone has completed the pattern of a rule for one key; times are log time in ms. */
export const PatternDue = defineEvent({
  type: "PatternDue",
  sentBy: "rule",
  schema: z.strictObject({
    rule: z.string(),
    key: z.string(),
    since: z.number(),
    until: z.number(),
  }),
});

/** One who asked for a job; `rule` and `key`: another job did. */
export type JobRequester = z.infer<typeof JobRequester>;
export const JobRequester = z.strictObject({
  event: z.string(),
  source: z.string(),
  rule: z.string().optional(),
  key: z.string().optional(),
});

/** A job of a statechart rule, `file/rule`, is asked for; `from`: by another job. One that runs for the same key is joined. */
export const JobRequested = defineEvent({
  type: "JobRequested",
  schema: z.strictObject({
    rule: z.string(),
    data: JsonValue,
    from: z.strictObject({ rule: z.string(), key: z.string() }).optional(),
  }),
});

/** A job is to end before its work is done. */
export const JobCancelRequested = defineEvent({
  type: "JobCancelRequested",
  schema: z.strictObject({ rule: z.string(), key: z.string(), reason: Reason }),
});

/** A delay of a job has passed: what its machine gets. Without `event`: its deadline has. */
export const JobTimerDue = defineEvent({
  type: "JobTimerDue",
  sentBy: "rule",
  schema: z.strictObject({
    rule: z.string(),
    key: z.string(),
    timer: z.string(),
    event: JsonValue.optional(),
  }),
});

/** A version of a rule file came into force while earlier ones have jobs, which may go on in it; those before `after` have been asked. */
export const JobsMoveDue = defineEvent({
  type: "JobsMoveDue",
  sentBy: "rule",
  schema: z.strictObject({ file: Name, blob: z.string(), after: z.string().optional() }),
});

/** A job has ended; `since` is log time in ms. All who asked for it are in `requests`; `more`: how many have no room there. */
export const JobEnded = defineEvent({
  type: "JobEnded",
  sentBy: "rule",
  schema: z.strictObject({
    rule: z.string(),
    key: z.string(),
    outcome: z.enum(["done", "failed", "cancelled", "timedOut"]),
    since: z.number(),
    output: JsonValue.optional(),
    reason: Reason.optional(),
    requests: z.array(JobRequester),
    more: z.number().int().optional(),
  }),
});

/** Losses of nodes are acted upon now: all of one moment have been seen. */
export const NodeLossSettled = defineEvent({
  type: "NodeLossSettled",
  sentBy: "rule",
  schema: z.strictObject({}),
});

/** The lease under which an exclusive service ran has ended. */
export const LeaseEnded = defineEvent({
  type: "LeaseEnded",
  sentBy: "rule",
  schema: z.strictObject({ service: Name, node: Name, incarnation: z.number().int() }),
});

/** It is time for the next attempt to bring a node back. */
export const RecoveryDue = defineEvent({
  type: "RecoveryDue",
  sentBy: "rule",
  schema: z.strictObject({ node: Name, incarnation: z.number().int() }),
});

/** A node is gone, and attempts to bring it back begin. */
export const NodeTransient = defineEvent({
  type: "NodeTransient",
  sentBy: "rule",
  schema: z.strictObject({ node: Name }),
});

export const RecoveryAttempted = defineEvent({
  type: "RecoveryAttempted",
  sentBy: "rule",
  schema: z.strictObject({ node: Name, attempt: z.number().int(), of: z.number().int() }),
});

/** A node that was gone is back. */
export const NodeRecovered = defineEvent({
  type: "NodeRecovered",
  sentBy: "rule",
  schema: z.strictObject({ node: Name, attempts: z.number().int() }),
});

/** All attempts were made; a person has to do something about the node. */
export const NodeGivenUp = defineEvent({
  type: "NodeGivenUp",
  sentBy: "rule",
  schema: z.strictObject({ node: Name, attempts: z.number().int() }),
});

export const BreakerTripped = defineEvent({
  type: "BreakerTripped",
  sentBy: "rule",
  schema: z.strictObject({ nodes: z.array(Name), reason: Reason }),
});

export const BreakerReset = defineEvent({
  type: "BreakerReset",
  sentBy: "rule",
  schema: z.strictObject({ reason: Reason }),
});

/** A configuration with which it does not start was taken back. */
export const ConfigurationReverted = defineEvent({
  type: "ConfigurationReverted",
  sentBy: "rule",
  schema: z.strictObject({
    service: Name,
    node: Name,
    from: z.string(),
    to: z.string(),
    reason: Reason,
  }),
});

/** Nobody has answered a trouble in time. */
export const TroubleDue = defineEvent({
  type: "TroubleDue",
  sentBy: "rule",
  schema: z.strictObject({ instance: InstanceId, ref: z.string() }),
});

/** A delay that a rule asked for has passed. */
export const RestartDue = defineEvent({
  type: "RestartDue",
  sentBy: "rule",
  schema: z.strictObject({ slot: z.string() }),
});

/** An operation has waited for as long as it may. */
export const OperationDue = defineEvent({
  type: "OperationDue",
  sentBy: "rule",
  schema: z.strictObject({ operation: z.string() }),
});

/** A rule file of the cluster cannot be loaded. */
export const RuleFileFailed = defineEvent({
  type: "RuleFileFailed",
  sentBy: "tracking",
  schema: z.strictObject({ file: Name, blob: z.string(), reason: Reason }),
});

/** A command got no answer before its deadline. Whether it was carried out is unknown. */
export const CommandExpired = defineEvent({
  type: "CommandExpired",
  sentBy: "rule",
  schema: z.strictObject({
    command: CommandId,
    node: Name,
    action: z.string(),
    instance: z.string(),
  }),
});

export const ServiceBroken = defineEvent({
  type: "ServiceBroken",
  sentBy: "rule",
  schema: z.strictObject({ node: Name, service: Name, instance: z.string(), reason: Reason }),
});

export const ServiceMoved = defineEvent({
  type: "ServiceMoved",
  sentBy: "rule",
  schema: z.strictObject({ service: Name, from: Name, to: Name, reason: Reason }),
});

/** More ran than is wanted, for instance after a node came back. */
export const SurplusStopped = defineEvent({
  type: "SurplusStopped",
  sentBy: "rule",
  schema: z.strictObject({ node: Name, service: Name, instance: InstanceId, reason: Reason }),
});

export const OperationEnded = defineEvent({
  type: "OperationEnded",
  sentBy: "rule",
  schema: z.strictObject({
    operation: z.string(),
    state: z.enum(["done", "failed"]),
    reason: Reason.optional(),
  }),
});

/** A rule threw; what it would have decided does not count. */
export const RuleFailed = defineEvent({
  type: "RuleFailed",
  sentBy: "rule",
  schema: z.strictObject({ rule: z.string(), event: z.string(), reason: Reason }),
});
