import { z } from "zod";
import { answer, at, defineEvent, Reason } from "./event-type.ts";
import { CommandId, InstanceId, Name } from "./id.ts";
import { JsonValue } from "./json.ts";
import { Health, ResourceKindName } from "./kind.ts";

const Exit = z.strictObject({ code: z.number().int().nullable(), signal: z.string().nullable() });
export type Exit = z.infer<typeof Exit>;

/** What made an instance end: said by itself, or seen of it. */
export const FailureCause = z.enum([
  "exit",
  "announced",
  "exception",
  "hung",
  "liveness",
  "memory",
  "lease",
  "trouble",
]);
export type FailureCause = z.infer<typeof FailureCause>;

export const ServiceStarted = defineEvent({
  type: "ServiceStarted",
  sentBy: "node",
  schema: z.strictObject({
    ...at,
    ...answer,
    osPid: z.number().int().optional(),
    configuration: z.string(),
  }),
});

export const ServiceCouldNotStart = defineEvent({
  type: "ServiceCouldNotStart",
  sentBy: "node",
  schema: z.strictObject({
    ...at,
    ...answer,
    code: z.string(),
    reason: Reason,
    /** The instance that holds the service name. */
    holder: InstanceId.optional(),
  }),
});

/** It ended because it was told to. */
export const ServiceStopped = defineEvent({
  type: "ServiceStopped",
  sentBy: "node",
  schema: z.strictObject({ ...at, ...answer, exit: Exit.optional() }),
});

/** It ended, hung or broke without being told to; nothing of it runs any more. */
export const ServiceFailed = defineEvent({
  type: "ServiceFailed",
  sentBy: "node",
  schema: z.strictObject({
    ...at,
    reason: Reason,
    /** How long it was ready and healthy, by the node's monotonic clock. */
    healthyMs: z.number().int().min(0),
    exit: Exit.optional(),
    cause: FailureCause.optional(),
    /** What the service itself called its failure. */
    code: z.string().max(128).optional(),
  }),
});

/** It said that its work is done, and ended. */
export const ServiceExited = defineEvent({
  type: "ServiceExited",
  sentBy: "node",
  schema: z.strictObject({ ...at, reason: Reason, exit: Exit.optional() }),
});

/** It cannot go on by itself, and waits for what AnswerTrouble says. */
export const ServiceTrouble = defineEvent({
  type: "ServiceTrouble",
  sentBy: "node",
  schema: z.strictObject({
    ...at,
    ref: z.string().max(128),
    code: z.string().max(128),
    reason: Reason,
    data: JsonValue.optional(),
  }),
});

/** The answer to AnswerTrouble: the service has it. */
export const TroubleAnswered = defineEvent({
  type: "TroubleAnswered",
  sentBy: "node",
  schema: z.strictObject({ ...at, ...answer, ref: z.string().max(128) }),
});

/** The answer to RunHook. `unknown`: the node ended while it ran, so nobody knows how far it came. */
export const HookEnded = defineEvent({
  type: "HookEnded",
  sentBy: "node",
  schema: z.strictObject({
    ...at,
    ...answer,
    hook: z.enum(["fence", "recover"]),
    target: Name,
    outcome: z.enum(["done", "failed", "unknown"]),
    detail: Reason.optional(),
  }),
});

/** The node's supervisor watches the instances that the graph says. */
export const SupervisorStarted = defineEvent({
  type: "SupervisorStarted",
  sentBy: "node",
  schema: z.strictObject({
    ...at,
    ...answer,
    incarnation: z.number().int(),
    monitors: z.number().int(),
  }),
});

/** The supervisor of `node` has ended or hangs; `by` is the node whose supervisor saw it. */
export const SupervisorFailed = defineEvent({
  type: "SupervisorFailed",
  sentBy: "node",
  schema: z.strictObject({
    node: Name,
    by: Name,
    incarnation: z.number().int(),
    reason: Reason,
  }),
});

/** The supervisor of `by`, which is not the instance's node, gets no good answer of it. */
export const InstanceDoubted = defineEvent({
  type: "InstanceDoubted",
  sentBy: "node",
  schema: z.strictObject({ ...at, by: Name, reason: Reason }),
});

/** The supervisor of `by` gets good answers of the instance again. */
export const InstanceTrusted = defineEvent({
  type: "InstanceTrusted",
  sentBy: "node",
  schema: z.strictObject({ ...at, by: Name }),
});

export const ServiceHealthChanged = defineEvent({
  type: "ServiceHealthChanged",
  sentBy: "node",
  schema: z.strictObject({ ...at, health: Health, detail: Reason.optional() }),
});

/** The answer to CheckService. */
export const ServiceChecked = defineEvent({
  type: "ServiceChecked",
  sentBy: "node",
  schema: z.strictObject({ ...at, ...answer, health: Health, detail: Reason.optional() }),
});

/** The answer to ReportStatus. */
export const ServiceReported = defineEvent({
  type: "ServiceReported",
  sentBy: "node",
  schema: z.strictObject({ ...at, ...answer, report: JsonValue }),
});

/** It runs with another configuration. Without a command it changed that itself, and `config` is the value. */
export const ServiceReconfigured = defineEvent({
  type: "ServiceReconfigured",
  sentBy: "node",
  schema: z.strictObject({
    ...at,
    ...answer,
    configuration: z.string(),
    config: z.record(z.string(), JsonValue).optional(),
  }),
});

export const ResourceAcquired = defineEvent({
  type: "ResourceAcquired",
  sentBy: "node",
  schema: z.strictObject({
    ...at,
    kind: ResourceKindName,
    id: z.string().min(1).max(256),
    attributes: z.record(z.string(), JsonValue),
  }),
});

export const ResourceReleased = defineEvent({
  type: "ResourceReleased",
  sentBy: "node",
  schema: z.strictObject({ ...at, kind: ResourceKindName, id: z.string().min(1).max(256) }),
});

/** The node will not carry out the command: a stale epoch, a passed deadline, nothing to act on. */
export const CommandRefused = defineEvent({
  type: "CommandRefused",
  sentBy: "node",
  schema: z.strictObject({ node: Name, command: CommandId, code: z.string(), reason: Reason }),
});
