import { z } from "zod";
import { Hash, Name } from "./id.ts";
import { OnNodeLoss, Placement, ResourceKindName, RestartPolicy } from "./kind.ts";

/** A JSON Schema (draft 2020-12) whose root is an object. */
export const JsonSchema = z.record(z.string(), z.json());
export type JsonSchema = z.infer<typeof JsonSchema>;

/** A service type as data: what `apply` reads from the compiled file, and what the graph holds of it. */
export const ServiceManifest = z.strictObject({
  name: Name,
  serviceName: Name,
  version: z
    .string()
    .regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/, "expected a version such as 1.0.0"),
  kind: z.enum(["worker", "process"]),
  blob: Hash,
  configurationSchema: JsonSchema,
  schemaHash: Hash,
  /** Kinds of resource that instances may hold, each with the JSON Schema of its attributes. */
  resources: z.record(ResourceKindName, JsonSchema),
  /** Names of the messages that instances answer. */
  messages: z.array(z.string()),
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
  config: z.record(z.string(), z.json()),
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
