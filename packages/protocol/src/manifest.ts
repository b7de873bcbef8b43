import { z } from "zod";
import { Hash, Name } from "./id.ts";
import { JsonValue } from "./json.ts";
import {
  NodePolicy,
  OnNodeLoss,
  Placement,
  ResourceKindName,
  RestartPolicy,
  ServiceKind,
  watchersMax,
} from "./kind.ts";
import { PatternDescription } from "./pattern.ts";
import { RuleOptions } from "./rule-file.ts";

/** A JSON Schema (draft 2020-12) whose root is an object. */
export const JsonSchema = z.record(z.string(), JsonValue);
export type JsonSchema = z.infer<typeof JsonSchema>;

/**
 * Text in which `{config.<field>}` stands for a field of the configuration, `{blob:<sha256>}` for the path of a
 * blob on the node, `{instance}`, `{service}`, `{node}` and `{directory}` for what they say, `{token}` for the number of
 * an exclusive start, and in `acquire` `{<group>}` for a named group of the pattern. `{{` is a brace.
 */
const Template = z.string().max(8_192);

/** When an OS process counts as ready. */
export const ReadyCheck = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("spawned") }),
  z.strictObject({
    type: z.literal("output"),
    /** A regular expression, tried on each line of output. */
    pattern: z.string().max(1_024),
    /** A resource that the instance holds from then on, filled from the named groups. */
    acquire: z
      .strictObject({
        kind: ResourceKindName,
        id: Template,
        attributes: z.record(z.string(), Template),
      })
      .optional(),
  }),
  z.strictObject({ type: z.literal("tcp"), port: Template }),
  z.strictObject({ type: z.literal("http"), url: Template }),
]);
export type ReadyCheck = z.infer<typeof ReadyCheck>;

/** How an OS process is asked whether it is well; `alive` asks the kernel only. */
export const ProcessCheck = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("alive") }),
  z.strictObject({ type: z.literal("tcp"), port: Template }),
  z.strictObject({ type: z.literal("http"), url: Template }),
]);
export type ProcessCheck = z.infer<typeof ProcessCheck>;

/** An OS process as data, so that a restart runs no code of its author inside `halond`. */
export const ProcessManifest = z.strictObject({
  /** Program and arguments, never a shell. `node` is the Node that runs `halond`. */
  command: z.array(Template).min(1).max(1_024),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), Template),
  ready: ReadyCheck,
  /** Readiness: an instance that fails it is degraded. */
  check: ProcessCheck,
  /** Liveness: an instance that fails it several times in a row is ended. */
  liveness: ProcessCheck.default({ type: "alive" }),
  /** Run to stop it, before the signal; the signal follows when it fails or does not end the process. */
  stopCommand: z.array(Template).min(1).max(1_024).optional(),
  stopSignal: z.enum(["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"]),
  /** The captured output is kept to this size, plus one older file of the same size. */
  outputBytesMax: z.number().int().min(4_096).max(1_073_741_824),
});
export type ProcessManifest = z.infer<typeof ProcessManifest>;

/** An action of an OCF resource agent, as its meta-data advise. */
const OcfAction = z.strictObject({
  timeoutMs: z.number().int().min(10).max(3_600_000),
  intervalMs: z.number().int().min(0).max(3_600_000).optional(),
});

/** An OCF resource agent as data; the configuration's fields are its parameters. */
export const OcfManifest = z.strictObject({
  /** `ocf:<provider>:<agent>`. */
  agent: z
    .string()
    .regex(
      /^ocf:[A-Za-z0-9._-]{1,64}:[A-Za-z0-9._-]{1,64}$/,
      "expected an agent such as ocf:heartbeat:Dummy",
    ),
  actions: z.record(z.string(), OcfAction),
});
export type OcfManifest = z.infer<typeof OcfManifest>;

/** A systemd unit as data. */
export const SystemdManifest = z.strictObject({ unit: Template });
export type SystemdManifest = z.infer<typeof SystemdManifest>;

/** A service type as data: what `apply` reads from the compiled file, and what the graph holds of it. */
export const ServiceManifest = z.strictObject({
  name: Name,
  serviceName: Name,
  version: z
    .string()
    .regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/, "expected a version such as 1.0.0"),
  kind: ServiceKind,
  /** The compiled service file. */
  blob: Hash,
  /** Further blobs that an instance needs on its node. */
  files: z.array(Hash),
  /** Of the kind `process` only. */
  process: ProcessManifest.optional(),
  /** Of the kind `ocf` only. */
  ocf: OcfManifest.optional(),
  /** Of the kind `systemd` only. */
  systemd: SystemdManifest.optional(),
  /** Of the kind `worker` only. `shared`: with others in one thread, which ends for all when one of them hangs. */
  thread: z.enum(["own", "shared"]).default("own"),
  /** Messages that it takes, each with the JSON Schema of the array of its arguments; absent: any, unchecked. */
  messages: z.record(z.string(), JsonSchema).optional(),
  /** Types of which an instance has to run on the same node. */
  requires: z.array(Name).default([]),
  configurationSchema: JsonSchema,
  schemaHash: Hash,
  /** Kinds of resource that instances may hold, each with the JSON Schema of its attributes. */
  resources: z.record(ResourceKindName, JsonSchema),
  restart: RestartPolicy,
  startTimeoutMs: z.number().int().min(10).max(3_600_000),
  stopTimeoutMs: z.number().int().min(10).max(3_600_000),
  checkEveryMs: z.number().int().min(50).max(3_600_000),
  checkTimeoutMs: z.number().int().min(10).max(600_000),
  /** Liveness checks in a row that fail or get no answer before the instance is ended. */
  livenessFailures: z.number().int().min(1).max(1_000).default(3),
  memoryMb: z.number().int().min(8).max(1_048_576),
  /** Supervisors of other nodes that watch each instance too; absent: none. */
  watchers: z.number().int().min(0).max(watchersMax).optional(),
});
export type ServiceManifest = z.infer<typeof ServiceManifest>;

/** A rule file as data. */
export const RuleFileManifest = z.strictObject({
  name: Name,
  blob: Hash,
  rules: z.array(z.string()),
  /** Events that the file declares, each with the JSON Schema of its data. */
  events: z.array(
    z.strictObject({
      type: z.string(),
      version: z.number().int(),
      schema: JsonSchema,
      /** Earlier versions that it can read. */
      from: z.array(z.number().int()).optional(),
    }),
  ),
  /** Kinds of resource that its rules put into the graph, each with the JSON Schema of its attributes. */
  resources: z.record(ResourceKindName, JsonSchema).default({}),
  /** `node`: it runs in the processor of every node, and not in the coordinator. */
  runs: z.literal("node").optional(),
  /** Of such a file: the types that it takes. What else it declares it publishes. */
  hears: z.array(z.string()).optional(),
  /** By rule: the pattern over time that it is on. */
  patterns: z.record(z.string(), PatternDescription).optional(),
  /** Names of its invariants. */
  invariants: z.array(z.string()).optional(),
  /** What it is given, defaults included; absent: it takes none. */
  options: RuleOptions.optional(),
  /** What it may be given. */
  optionsSchema: JsonSchema.optional(),
});
export type RuleFileManifest = z.infer<typeof RuleFileManifest>;

/** One entry of a cluster file, compiled. */
export const DeploymentSpec = z.strictObject({
  /** The service name on each node. */
  name: Name,
  type: Name,
  on: Placement,
  replicas: z.number().int().min(1).max(1_000).optional(),
  onNodeLoss: OnNodeLoss,
  /** At most one instance in the whole cluster, held by a lease. */
  exclusive: z.literal("cluster").optional(),
  fence: z.enum(["lease", "command"]).optional(),
  /** Node names or `key=value` labels, best first; wishes, not conditions. */
  prefer: z.array(z.string().max(130)).max(100).optional(),
  /** Deployments with an instance wanted on the same node. */
  with: z.array(Name).max(100).optional(),
  /** Deployments of which no instance may be wanted on the same node. */
  apart: z.array(Name).max(100).optional(),
  /** Deployments of which an instance has to run before this one starts: on the same node if it is wanted there, else anywhere. */
  after: z.array(Name).max(100).optional(),
  /** A label: instances are spread evenly over its values. */
  spread: z.string().max(63).optional(),
  config: z.record(z.string(), JsonValue),
  configHash: Hash,
});
export type DeploymentSpec = z.infer<typeof DeploymentSpec>;

/** A cluster file, compiled: all that `apply` sends besides the blobs themselves. */
export const ClusterSpec = z.strictObject({
  types: z.array(ServiceManifest).max(1_000),
  deployments: z.array(DeploymentSpec).max(10_000),
  rules: z.array(RuleFileManifest).max(1_000),
  /** What is done about nodes that are gone; absent: as it is, or the defaults. */
  nodes: NodePolicy.optional(),
  /** Remove the deployments and rule files that the cluster file does not name. */
  prune: z.boolean(),
});
export type ClusterSpec = z.infer<typeof ClusterSpec>;
