import { z } from "zod";
import { Hash, Name, SlotId } from "./id.ts";
import { JsonValue } from "./json.ts";

/** Milliseconds of wall time, for display only: no decision reads it. */
const WallTime = z.number();
const Labels = z.record(z.string(), z.string());

export const NodeRole = z.enum(["tracking", "satellite"]);
export const NodeState = z.enum(["up", "suspect", "down", "draining", "maintenance"]);
export type NodeState = z.infer<typeof NodeState>;

/** `unknown`: it ran on a node that cannot be reached. `failed` waits for a restart; `broken` waits for a person. */
export const InstanceState = z.enum([
  "starting",
  "running",
  "degraded",
  "stopping",
  "stopped",
  "failed",
  "broken",
  "unknown",
]);
export type InstanceState = z.infer<typeof InstanceState>;

export const Health = z.enum(["ok", "warn", "fail", "unknown"]);
export type Health = z.infer<typeof Health>;

/** Restart policy of a service type, in milliseconds; the numbers are those of the architecture. */
export const RestartPolicy = z.strictObject({
  /** An instance that was healthy this long starts again at once, and its failure is not counted. */
  resetAfterMs: z.number().int().min(0).max(3_600_000).default(10_000),
  backoffMs: z.number().int().min(1).max(600_000).default(100),
  backoffMaxMs: z.number().int().min(1).max(3_600_000).default(30_000),
  /** Failures within `windowMs` after which the service is broken. */
  maxFailures: z.number().int().min(1).max(1_000).default(5),
  windowMs: z.number().int().min(1).max(86_400_000).default(60_000),
});
export type RestartPolicy = z.infer<typeof RestartPolicy>;

/** Where a service is wanted. */
export const Placement = z.union([
  z.literal("every-node"),
  z.literal("any-node"),
  z.strictObject({ label: z.string().regex(/^[^=]{1,63}=[^=]{0,63}$/, "expected key=value") }),
  z.strictObject({ node: Name }),
]);
export type Placement = z.infer<typeof Placement>;

export const OnNodeLoss = z.enum(["move", "wait"]);

/** Attributes of the built-in kinds. What rules and people see of a resource is what stands here. */
export const builtInKinds = {
  Cluster: z.strictObject({ name: z.string(), createdAt: WallTime }),
  Host: z.strictObject({ hostname: z.string() }),
  Node: z.strictObject({
    address: z.string(),
    role: NodeRole,
    state: NodeState,
    /** Grows with every start of the node's `halond`. */
    incarnation: z.number().int(),
    labels: Labels,
    version: z.string(),
    since: WallTime,
    reason: z.string().optional(),
  }),
  /** A service type at its current version. */
  Service: z.strictObject({
    serviceName: Name,
    version: z.string(),
    kind: z.enum(["worker", "process"]),
    blob: Hash,
    restart: RestartPolicy,
    startTimeoutMs: z.number().int(),
    stopTimeoutMs: z.number().int(),
    checkEveryMs: z.number().int(),
    resourceKinds: z.array(z.string()),
  }),
  /** Id: the hash of the JSON Schema. Types that share one accept the same configuration. */
  Schema: z.strictObject({ schema: z.record(z.string(), JsonValue) }),
  /** What a cluster file asks for. */
  Deployment: z.strictObject({
    type: Name,
    on: Placement,
    replicas: z.number().int().optional(),
    onNodeLoss: OnNodeLoss,
    /** Why fewer instances are placed than asked for. */
    shortfall: z.string().optional(),
  }),
  /** The exclusive place of a service name on a node. Id: `<service>@<node>`. */
  ServiceName: z.strictObject({
    service: Name,
    node: Name,
    /** Of the last start here; 0 before the first. */
    incarnation: z.number().int(),
    restarts: z.number().int(),
    /** A person stopped it; it stays wanted, and is not started until a person says so. */
    halted: z.boolean().optional(),
    /** Why it is not started again, after too many failures. */
    broken: z.string().optional(),
  }),
  ServiceInstance: z.strictObject({
    service: Name,
    type: Name,
    version: z.string(),
    node: Name,
    slot: SlotId,
    incarnation: z.number().int(),
    state: InstanceState,
    health: Health,
    /** The process: the OS process id, of the kind `process` only. */
    osPid: z.number().int().optional(),
    since: WallTime,
    reason: z.string().optional(),
  }),
  /** Id: the hash of the value. */
  Configuration: z.strictObject({ value: z.record(z.string(), JsonValue) }),
  Supervisor: z.strictObject({ node: Name }),
  RuleFile: z.strictObject({
    blob: Hash,
    rules: z.array(z.string()),
    /** Types of event that the file declares, with the JSON Schema of their data. */
    events: z.array(
      z.strictObject({
        type: z.string(),
        version: z.number().int(),
        schema: z.record(z.string(), JsonValue),
      }),
    ),
    /** Why it does not take part. */
    quarantined: z.string().optional(),
  }),
  /** A request of a person or a program, and how it ended. */
  Operation: z.strictObject({
    action: z.enum(["apply", "start", "stop", "restart", "check", "status", "configure"]),
    target: z.string(),
    state: z.enum(["running", "done", "failed"]),
    reason: z.string().optional(),
    /** What it waits for: instances, while it runs. */
    waiting: z.array(z.string()),
    /** What services answered to a check or status. */
    answers: z.record(z.string(), JsonValue).optional(),
    since: WallTime,
    /** Order of creation, for bounded keeping. */
    order: z.number().int(),
  }),
} as const;

export type BuiltInKind = keyof typeof builtInKinds;
export type AttributesOf<K extends BuiltInKind> = z.infer<(typeof builtInKinds)[K]>;

export const ResourceKindName = z
  .string()
  .regex(
    /^[A-Z][A-Za-z0-9]{0,62}$/,
    "expected a kind such as TcpPort: a capital letter, then letters and digits",
  );
