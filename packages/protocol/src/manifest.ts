import { z } from "zod";
import { Hash, Name } from "./id.ts";
import { JsonValue } from "./json.ts";
import { OnNodeLoss, Placement, ResourceKindName, RestartPolicy } from "./kind.ts";

/** A JSON Schema (draft 2020-12) whose root is an object. */
export const JsonSchema = z.record(z.string(), JsonValue);
export type JsonSchema = z.infer<typeof JsonSchema>;

/**
 * Text in which `{config.<field>}` stands for a field of the configuration, `{blob:<sha256>}` for the path of a
 * blob on the node, `{instance}`, `{service}`, `{node}` and `{directory}` for what they say, and in `acquire`
 * `{<group>}` for a named group of the pattern. `{{` is a brace.
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
  check: ProcessCheck,
  stopSignal: z.enum(["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"]),
  /** The captured output is kept to this size, plus one older file of the same size. */
  outputBytesMax: z.number().int().min(4_096).max(1_073_741_824),
});
export type ProcessManifest = z.infer<typeof ProcessManifest>;

/** A service type as data: what `apply` reads from the compiled file, and what the graph holds of it. */
export const ServiceManifest = z.strictObject({
  name: Name,
  serviceName: Name,
  version: z
    .string()
    .regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/, "expected a version such as 1.0.0"),
  kind: z.enum(["worker", "process"]),
  /** The compiled service file. */
  blob: Hash,
  /** Further blobs that an instance needs on its node. */
  files: z.array(Hash),
  /** Of the kind `process` only. */
  process: ProcessManifest.optional(),
  configurationSchema: JsonSchema,
  schemaHash: Hash,
  /** Kinds of resource that instances may hold, each with the JSON Schema of its attributes. */
  resources: z.record(ResourceKindName, JsonSchema),
  restart: RestartPolicy,
  startTimeoutMs: z.number().int().min(10).max(3_600_000),
  stopTimeoutMs: z.number().int().min(10).max(3_600_000),
  checkEveryMs: z.number().int().min(50).max(3_600_000),
  checkTimeoutMs: z.number().int().min(10).max(600_000),
  memoryMb: z.number().int().min(8).max(1_048_576),
});
export type ServiceManifest = z.infer<typeof ServiceManifest>;

/** A rule file as data. */
export const RuleFileManifest = z.strictObject({
  name: Name,
  blob: Hash,
  rules: z.array(z.string()),
  /** Events that the file declares, each with the JSON Schema of its data. */
  events: z.array(
    z.strictObject({ type: z.string(), version: z.number().int(), schema: JsonSchema }),
  ),
  /** Kinds of resource that its rules put into the graph, each with the JSON Schema of its attributes. */
  resources: z.record(ResourceKindName, JsonSchema).default({}),
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
  config: z.record(z.string(), JsonValue),
  configHash: Hash,
});
export type DeploymentSpec = z.infer<typeof DeploymentSpec>;

/** A cluster file, compiled: all that `apply` sends besides the blobs themselves. */
export const ClusterSpec = z.strictObject({
  types: z.array(ServiceManifest).max(1_000),
  deployments: z.array(DeploymentSpec).max(10_000),
  rules: z.array(RuleFileManifest).max(1_000),
  /** Remove the deployments and rule files that the cluster file does not name. */
  prune: z.boolean(),
});
export type ClusterSpec = z.infer<typeof ClusterSpec>;
