import { z } from "zod";
import { AlertSeverity } from "./effect.ts";
import { Hash, Name, SlotId } from "./id.ts";
import { JsonValue } from "./json.ts";
import { PatternDescription } from "./pattern.ts";
import { RuleFileVersion } from "./rule-file.ts";

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

/** How an instance is run: a thread, a Node process of its own, any program, an OCF resource agent, a systemd unit. */
export const ServiceKind = z.enum(["worker", "node-process", "process", "ocf", "systemd"]);
export type ServiceKind = z.infer<typeof ServiceKind>;

/** What people have decided about a node, beside what is seen of it. */
export const NodeMode = z.enum(["active", "draining", "maintenance", "decommissioned"]);
export type NodeMode = z.infer<typeof NodeMode>;

/** So many supervisors of other nodes may watch each instance of a service type. */
export const watchersMax = 3;

/** A supervisor of another node that gets no good answer of an instance. */
export const Doubt = z.strictObject({ by: Name, since: WallTime, reason: z.string() });
export type Doubt = z.infer<typeof Doubt>;

/** Restart policy of a service type, in milliseconds; the numbers are those of the architecture. */
export const RestartPolicy = z.strictObject({
  /** An instance that was healthy this long starts again at once, and its failure is not counted. */
  resetAfterMs: z.number().int().min(0).max(3_600_000).default(10_000),
  backoffMs: z.number().int().min(1).max(600_000).default(100),
  backoffMaxMs: z.number().int().min(1).max(3_600_000).default(30_000),
  /** Failures within `windowMs` after which the service is broken. */
  maxFailures: z.number().int().min(1).max(1_000).default(5),
  windowMs: z.number().int().min(1).max(86_400_000).default(60_000),
  /** Starts in a row that may fail with a configuration that never worked, before the last that worked is taken back. */
  configTries: z.number().int().min(1).max(1_000).default(3),
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

/** A program that a person wants run on a node: arguments, never a shell. `{target}` is the name of the node it is about. */
export const HookCommand = z.strictObject({
  command: z.array(z.string().max(8_192)).min(1).max(1_024),
  timeoutMs: z.number().int().min(10).max(3_600_000).default(60_000),
});
export type HookCommand = z.infer<typeof HookCommand>;

/** What the cluster does about nodes that are gone. */
export const NodePolicy = z.strictObject({
  /** Between attempts to bring a node back. */
  recoverEveryMs: z.number().int().min(100).max(86_400_000).default(60_000),
  /** After so many it is given up; 0: none is made. */
  recoverAttempts: z.number().int().min(0).max(10_000).default(5),
  /** Run at each attempt, on another node. */
  recover: HookCommand.optional(),
  /** Makes sure that nothing runs on a node any more; exit code 0 confirms it. */
  fence: HookCommand.optional(),
  /** So many nodes lost within the window, and more than `breakerShare` of all, trip the breaker. */
  breakerNodes: z.number().int().min(2).max(10_000).default(3),
  breakerShare: z.number().min(0).max(1).default(0.34),
  breakerWindowMs: z.number().int().min(100).max(86_400_000).default(60_000),
});
export type NodePolicy = z.infer<typeof NodePolicy>;

/** A rule file that runs on nodes, as the processor of one node has it. */
export const ProcessorFile = z.strictObject({
  file: Name,
  blob: Hash,
  /** Of a file that takes options: which. */
  edition: z.number().int().optional(),
  state: z.enum(["loaded", "quarantined"]),
  /** Why it is in quarantine. */
  reason: z.string().max(4_000).optional(),
});
export type ProcessorFile = z.infer<typeof ProcessorFile>;

/** Attributes of the built-in kinds. What rules and people see of a resource is what stands here. */
export const builtInKinds = {
  Cluster: z.strictObject({
    name: z.string(),
    createdAt: WallTime,
    nodes: NodePolicy.optional(),
    /** Set while too many nodes were lost at once: until then nothing is moved off lost nodes. */
    breaker: z
      .strictObject({ since: WallTime, reason: z.string(), nodes: z.array(Name) })
      .optional(),
    /** How many alerts of each rule file stand: counted here, as to list them for each that is raised costs too much. */
    alerts: z.record(z.string(), z.number().int()).optional(),
  }),
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
    /** Absent: active. */
    mode: NodeMode.optional(),
    /** Since when a person wants that mode, and what the person said. */
    modeSince: WallTime.optional(),
    modeReason: z.string().optional(),
    /** What its state rests on, a sentence each, as of the last change. */
    evidence: z.array(z.string()).optional(),
    /** `transient`: attempts to bring it back go on. `givenUp`: a person has to. */
    recovery: z
      .strictObject({
        state: z.enum(["transient", "givenUp"]),
        attempt: z.number().int(),
        of: z.number().int(),
      })
      .optional(),
  }),
  /** A service type at its current version. */
  Service: z.strictObject({
    serviceName: Name,
    version: z.string(),
    /** `internal`: a part of Halon itself. */
    kind: z.enum([...ServiceKind.options, "internal"]),
    blob: Hash,
    restart: RestartPolicy,
    startTimeoutMs: z.number().int(),
    stopTimeoutMs: z.number().int(),
    checkEveryMs: z.number().int(),
    resourceKinds: z.array(z.string()),
    /** Types of which an instance has to run on the same node. */
    requires: z.array(Name).optional(),
    /** Supervisors of other nodes that watch each instance; absent: none. */
    watchers: z.number().int().optional(),
    /** How long a check may take; there with `watchers`. */
    checkTimeoutMs: z.number().int().optional(),
  }),
  /** Id: the hash of the JSON Schema. Types that share one accept the same configuration. */
  Schema: z.strictObject({ schema: z.record(z.string(), JsonValue) }),
  /** What a cluster file asks for. */
  Deployment: z.strictObject({
    type: Name,
    on: Placement,
    replicas: z.number().int().optional(),
    onNodeLoss: OnNodeLoss,
    /** At most one instance in the whole cluster, held by a lease. */
    exclusive: z.literal("cluster").optional(),
    /** `command`: it moves off a lost node only when the fence command of the cluster file has confirmed. */
    fence: z.enum(["lease", "command"]).optional(),
    /** The fencing token of its last start; grows with every start of an exclusive service. */
    token: z.number().int().optional(),
    prefer: z.array(z.string()).optional(),
    with: z.array(Name).optional(),
    apart: z.array(Name).optional(),
    after: z.array(Name).optional(),
    spread: z.string().optional(),
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
    /** What people should know of it until they ask for something else: its configuration was taken back. */
    notice: z.string().optional(),
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
    /** Fencing token of an exclusive service's start. */
    token: z.number().int().optional(),
    /** Supervisors of other nodes that get no good answer of it, by name. */
    doubts: z.array(Doubt).optional(),
  }),
  /** Id: the hash of the value. */
  Configuration: z.strictObject({ value: z.record(z.string(), JsonValue) }),
  Supervisor: z.strictObject({
    node: Name,
    /** Grows with each start of the supervisor. */
    incarnation: z.number().int().optional(),
    state: z.enum(["running", "failed"]).optional(),
    reason: z.string().optional(),
  }),
  RuleFile: z.strictObject({
    blob: Hash,
    rules: z.array(z.string()),
    /** Types of event that the file declares, with the JSON Schema of their data. */
    events: z.array(
      z.strictObject({
        type: z.string(),
        version: z.number().int(),
        schema: z.record(z.string(), JsonValue),
        /** Earlier versions that it can read. */
        from: z.array(z.number().int()).optional(),
      }),
    ),
    /** `node`: it runs in the processor of every node, and not in the coordinator. */
    runs: z.literal("node").optional(),
    /** Of such a file: the types that it takes, which come into no log. What else it declares it publishes. */
    hears: z.array(z.string()).optional(),
    /** Of such a file: how often people have taken it back where it was in quarantine. */
    released: z.number().int().optional(),
    /** By rule: the pattern over time that it is on. */
    patterns: z.record(z.string(), PatternDescription).optional(),
    /** Names of its invariants. */
    invariants: z.array(z.string()).optional(),
    /** What it was given, defaults included; absent: it takes none. */
    options: z.record(z.string(), JsonValue).optional(),
    /** What it may be given: a JSON Schema. */
    optionsSchema: z.record(z.string(), JsonValue).optional(),
    /** Grows with each change of options; with the blob it is the version that is in force. */
    edition: z.number().int().optional(),
    /** Earlier versions that stay loaded until their jobs have ended: blobs, `blob#edition` of files that take options. */
    kept: z.array(RuleFileVersion).optional(),
    /** By version: the options of those that are kept. */
    keptOptions: z.record(RuleFileVersion, z.record(z.string(), JsonValue)).optional(),
    /** It was removed: it is here for its jobs alone. */
    retired: z.boolean().optional(),
    /** Why it does not take part, although it should. */
    quarantined: z.string().optional(),
    /** Why a person has taken it out of force. */
    disabled: z.string().optional(),
  }),
  /** What people should look at until it is cleared. Id: `<file>/<key>`, of the rule file that raised it. */
  Alert: z.strictObject({
    key: z.string(),
    rule: z.string(),
    severity: AlertSeverity,
    text: z.string(),
    since: WallTime,
    /** How often it was raised while it stood. */
    count: z.number().int(),
  }),
  /** An invariant of a rule file, `file/invariant`, that was broken at some time. */
  Invariant: z.strictObject({
    state: z.enum(["broken", "holds"]),
    since: WallTime,
    /** Why it is broken. */
    reason: z.string().optional(),
  }),
  /** What the processor of a node has loaded. Id: the node. */
  Processor: z.strictObject({ node: Name, files: z.array(ProcessorFile) }),
  /** A request of a person or a program, and how it ended. */
  Operation: z.strictObject({
    action: z.enum([
      "apply",
      "start",
      "stop",
      "restart",
      "move",
      "check",
      "status",
      "configure",
      "drain",
      "resume",
      "maintenance",
      "remove",
      "breaker",
      "enable",
      "disable",
      "options",
      "retry",
      "drop",
    ]),
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
