import type { Health, Json, JsonObject, Placement } from "@halon/protocol";
import type { z } from "zod";

/** `'500ms'`, `'10s'`, `'1m'`, or a number of milliseconds. */
export type DurationText = string | number;

/** Names a file beside the service file; `apply` sends it along as a blob. */
export interface FileReference {
  readonly file: string;
}

/** What a service is given while it runs. */
export interface ServiceContext<Config = JsonObject> {
  /** The configuration that it was started with, or last took in `reconfigure`. */
  readonly config: Config;
  readonly service: string;
  readonly instance: string;
  readonly node: string;
  /** Aborted when the service is asked to stop. */
  readonly signal: AbortSignal;
  /** Writes a line to the captured output. */
  log(text: string): void;
  /** Says that it holds a resource. Throws HAL_RESOURCE_REFUSED when the type does not declare the kind. */
  acquire(kind: string, id: string, attributes?: JsonObject): void;
  release(kind: string, id: string): void;
  /** Says that it changed its own configuration. */
  configChanged(config: JsonObject): void;
  /** Says that it cannot go on: it is ended and reported as failed, with the reason. */
  fail(reason: string): void;
}

/** What a Check answers. */
export interface CheckResult {
  readonly health: Health;
  readonly detail?: string;
}

type Answer<T> = T | Promise<T>;

/** What `start` returns: how the running service answers. All are optional. */
export interface ServiceHandlers<Config = JsonObject> {
  /** Asked every `checkEvery`; a throw counts as `fail`. */
  readonly check?: () => Answer<CheckResult>;
  readonly status?: () => Answer<Json>;
  /** Takes a new configuration while it runs; without it, a new configuration needs a restart. */
  readonly reconfigure?: (config: Config) => Answer<void>;
  readonly stop?: () => Answer<void>;
  readonly messages?: Readonly<Record<string, (...args: never[]) => unknown>>;
}

/** When the service counts as failed for good, and how long it waits between starts. */
export interface RestartOptions {
  readonly resetAfter?: DurationText;
  readonly backoff?: DurationText;
  readonly backoffMax?: DurationText;
  readonly maxFailures?: number;
  readonly window?: DurationText;
}

interface CommonOptions<Schema extends z.ZodObject> {
  readonly name: string;
  /** Held by at most one instance on a node; types that share one exclude each other there. Default: that of the service. */
  readonly serviceName?: string;
  readonly version: string;
  readonly config: Schema;
  /** Kinds of resource that instances may hold, with the schema of their attributes. */
  readonly resources?: Readonly<Record<string, z.ZodObject>>;
  readonly restart?: RestartOptions;
  readonly startTimeout?: DurationText;
  readonly stopTimeout?: DurationText;
  readonly checkEvery?: DurationText;
  readonly checkTimeout?: DurationText;
  readonly memoryMb?: number;
}

/** A service that runs in a worker thread of `halond`. */
export interface WorkerServiceOptions<Schema extends z.ZodObject> extends CommonOptions<Schema> {
  start(
    context: ServiceContext<z.output<Schema>>,
  ): Answer<ServiceHandlers<z.output<Schema>>> | Answer<void>;
}

/** When an OS process counts as ready. */
export type ReadyOptions =
  | { readonly type: "spawned" }
  | {
      readonly type: "output";
      readonly pattern: string | RegExp;
      readonly acquire?: {
        readonly kind: string;
        readonly id: string;
        readonly attributes?: Readonly<Record<string, string>>;
      };
    }
  | { readonly type: "tcp"; readonly port: string }
  | { readonly type: "http"; readonly url: string };

/** How an OS process is run, as data. Texts may hold `{config.<field>}` and the like. */
export interface ProcessOptions {
  readonly command: readonly (string | FileReference)[];
  readonly env?: Readonly<Record<string, string | FileReference>>;
  /** Default: as soon as it is spawned. */
  readonly ready?: ReadyOptions;
  /** Default: the kernel is asked whether it is alive. */
  readonly check?:
    | { readonly type: "alive" }
    | { readonly type: "tcp"; readonly port: string }
    | { readonly type: "http"; readonly url: string };
  readonly stopSignal?: "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGHUP" | "SIGUSR1" | "SIGUSR2";
  readonly outputBytesMax?: number;
}

/** A service that runs as an OS process. */
export interface ProcessServiceOptions<Schema extends z.ZodObject> extends CommonOptions<Schema> {
  readonly process: ProcessOptions;
}

/** What a service file exports by default. */
export interface ServiceDefinition extends CommonOptions<z.ZodObject> {
  readonly kind: "halon.service";
  readonly process?: ProcessOptions;
  readonly start?: (context: ServiceContext<never>) => unknown;
}

/** One entry of a cluster file. */
export interface ClusterServiceOptions {
  /** A file, compiled when applied, or the name of a type that the cluster knows. */
  readonly type: string;
  /** What the cluster calls it. Default: the name of the type. */
  readonly name?: string;
  /** Default: `any-node`. */
  readonly on?: Placement;
  readonly replicas?: number;
  readonly config?: JsonObject;
  /** Default: `move`. */
  readonly onNodeLoss?: "move" | "wait";
  readonly exclusive?: "cluster";
}

/** A cluster file: what shall run, and the rules beside the built-in ones. */
export interface ClusterOptions {
  readonly services?: readonly ClusterServiceOptions[];
  readonly rules?: readonly string[];
}

/** What a cluster file exports by default. */
export interface ClusterDefinition extends ClusterOptions {
  readonly kind: "halon.cluster";
}
