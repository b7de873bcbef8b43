import { z } from "zod";
import { CommandId, InstanceId, Name } from "./id.ts";
import { type Json, JsonValue } from "./json.ts";
import { Health, NodeRole, ResourceKindName } from "./kind.ts";
import { ClusterSpec } from "./manifest.ts";

/** A type of event: its name, its version, the schema of its data, and who sends it. */
export interface EventType<T extends string = string, D = unknown> {
  readonly type: T;
  readonly version: number;
  readonly schema: z.ZodType<D>;
  readonly sentBy: EventSender;
}

/** `node`: a node's agent and supervisor. `tracking`: what the tracking node sees. `client`: a person or program. `rule`: a rule. */
export type EventSender = "node" | "tracking" | "client" | "rule";

export type DataOf<E> = E extends EventType<string, infer D> ? D : never;

/** Declares a type of event. A rule file that declares one makes it known to the cluster. */
export function defineEvent<const T extends string, S extends z.ZodType>(declaration: {
  readonly type: T;
  readonly version?: number;
  readonly schema: S;
  readonly sentBy?: EventSender;
}): EventType<T, z.infer<S>> {
  return {
    type: declaration.type,
    version: declaration.version ?? 1,
    schema: declaration.schema as unknown as z.ZodType<z.infer<S>>,
    sentBy: declaration.sentBy ?? "client",
  };
}

/** What the log holds of an event, and what rules see. */
export interface EventEnvelope<D = Json> {
  readonly id: string;
  readonly type: string;
  readonly version: number;
  /** `node/<name>`, `client/<id>`, `tracking` or `rule/<name>`. */
  readonly source: string;
  readonly data: D;
}

const Reason = z.string().max(4_000);
const Exit = z.strictObject({ code: z.number().int().nullable(), signal: z.string().nullable() });
export type Exit = z.infer<typeof Exit>;

/** An instance as its node sees it, part of an inventory. */
export const InventoryInstance = z.strictObject({
  instance: InstanceId,
  service: Name,
  type: Name,
  version: z.string(),
  state: z.enum(["starting", "running", "stopping"]),
  health: Health,
  osPid: z.number().int().optional(),
});
export type InventoryInstance = z.infer<typeof InventoryInstance>;

const at = { node: Name, service: Name, instance: InstanceId };
const answer = { command: CommandId.optional() };

/** The first event of every log. */
export const ClusterCreated = defineEvent({
  type: "ClusterCreated",
  sentBy: "tracking",
  schema: z.strictObject({ cluster: z.string(), name: z.string() }),
});

export const NodeJoined = defineEvent({
  type: "NodeJoined",
  sentBy: "node",
  schema: z.strictObject({
    node: Name,
    address: z.string(),
    hostname: z.string(),
    role: NodeRole,
    incarnation: z.number().int(),
    labels: z.record(z.string(), z.string()),
    version: z.string(),
  }),
});

/** All that runs on a node, sent after every (re)connect; compared with the graph as of `lastCommand`. */
export const NodeInventory = defineEvent({
  type: "NodeInventory",
  sentBy: "node",
  schema: z.strictObject({
    node: Name,
    /** The last command that the node has begun; null when it has begun none since its start. */
    lastCommand: CommandId.nullable(),
    instances: z.array(InventoryInstance),
  }),
});

export const NodeSuspected = defineEvent({
  type: "NodeSuspected",
  sentBy: "tracking",
  schema: z.strictObject({ node: Name, incarnation: z.number().int(), reason: Reason }),
});

export const NodeLost = defineEvent({
  type: "NodeLost",
  sentBy: "tracking",
  schema: z.strictObject({ node: Name, incarnation: z.number().int(), reason: Reason }),
});

/** The node says that it stops and takes its services with it. */
export const NodeLeft = defineEvent({
  type: "NodeLeft",
  sentBy: "node",
  schema: z.strictObject({ node: Name, incarnation: z.number().int() }),
});

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
  }),
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

const request = { operation: z.string(), reason: Reason.optional() };
const target = { service: Name, on: Name.optional() };

export const ClusterApplied = defineEvent({
  type: "ClusterApplied",
  schema: z.strictObject({ ...request, spec: ClusterSpec }),
});
export const ServiceStartRequested = defineEvent({
  type: "ServiceStartRequested",
  schema: z.strictObject({ ...request, ...target }),
});
export const ServiceStopRequested = defineEvent({
  type: "ServiceStopRequested",
  schema: z.strictObject({ ...request, ...target }),
});
export const ServiceRestartRequested = defineEvent({
  type: "ServiceRestartRequested",
  schema: z.strictObject({ ...request, ...target }),
});
export const ServiceCheckRequested = defineEvent({
  type: "ServiceCheckRequested",
  schema: z.strictObject({ ...request, ...target }),
});
export const ServiceStatusRequested = defineEvent({
  type: "ServiceStatusRequested",
  schema: z.strictObject({ ...request, ...target }),
});
export const ConfigurationRequested = defineEvent({
  type: "ConfigurationRequested",
  schema: z.strictObject({
    ...request,
    service: Name,
    config: z.record(z.string(), JsonValue),
    configHash: z.string(),
  }),
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

/** Every event that Halon itself knows, by type. */
export const builtInEvents = {
  ClusterCreated,
  NodeJoined,
  NodeInventory,
  NodeSuspected,
  NodeLost,
  NodeLeft,
  ServiceStarted,
  ServiceCouldNotStart,
  ServiceStopped,
  ServiceFailed,
  ServiceHealthChanged,
  ServiceChecked,
  ServiceReported,
  ServiceReconfigured,
  ResourceAcquired,
  ResourceReleased,
  CommandRefused,
  ClusterApplied,
  ServiceStartRequested,
  ServiceStopRequested,
  ServiceRestartRequested,
  ServiceCheckRequested,
  ServiceStatusRequested,
  ConfigurationRequested,
  RestartDue,
  OperationDue,
  RuleFileFailed,
  CommandExpired,
  ServiceBroken,
  ServiceMoved,
  SurplusStopped,
  OperationEnded,
  RuleFailed,
} as const;
