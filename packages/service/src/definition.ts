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
  /** Of a cluster-exclusive service: the number of this start; it grows with each. Give it to what must not be used twice. */
  readonly fencingToken?: number;
  /** Says that its work is done: it is stopped, and does not start again until a person starts it. */
  exit(reason: string): void;
  /**
   * Says that it cannot go on by itself, and waits for what the rules make of that.
   *
   * Nobody who answers within 5 s means `restart`. With `restart` and `stop` the service is asked to stop right after.
   * Rejects with HAL_TOO_MANY when too many troubles wait for an answer.
   */
  trouble(code: string, reason: string, data?: Json): Promise<TroubleAnswer>;
  /** Says that it cannot go on: it is ended and reported as failed, with the reason and what it calls the failure. */
  fail(reason: string, code?: string): void;
  /** The running instances of a service, by node, as this node knows them. */
  lookup(service: string): Promise<readonly InstancePlace[]>;
  /**
   * Calls a message of an instance, on whatever node it runs; one attempt.
   *
   * Rejects with HAL_SERVICE_NOT_RUNNING, HAL_NOT_FOUND, HAL_SCHEMA_VIOLATION, HAL_TIMEOUT, or HAL_FAILED when the service threw.
   */
  call(instance: string, message: string, args?: readonly Json[]): Promise<Json>;
  /**
   * Gives an event to the rule files that run on this node (`runs: "node"`); it comes into no log.
   *
   * Rejects with HAL_EVENT_UNKNOWN when none takes the type, HAL_OVERLOADED when too many wait, HAL_SCHEMA_VIOLATION, or
   * HAL_TOO_MANY when too many of its calls wait for an answer.
   */
  publish(type: string, data: Json): Promise<void>;
}

/** Where an instance runs. */
export interface InstancePlace {
  readonly instance: string;
  readonly node: string;
}

/** What becomes of a service in trouble. */
export interface TroubleAnswer {
  readonly answer: "goOn" | "restart" | "stop";
  /** What the rule that answered has to say. */
  readonly data?: Json | undefined;
}

/** What a Check answers. */
export interface CheckResult {
  readonly health: Health;
  readonly detail?: string;
}

type Answer<T> = T | Promise<T>;

/** What `start` returns: how the running service answers. All are optional. */
export interface ServiceHandlers<Config = JsonObject> {
  /** Readiness and health, asked every `checkEvery`; a throw counts as `fail`. It degrades the service and does not end it. */
  readonly check?: () => Answer<CheckResult>;
  /** Liveness, asked every `checkEvery`; `livenessFailures` times in a row false, late or thrown end the service. */
  readonly alive?: () => Answer<boolean>;
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
  /** Starts that may fail with a configuration that never worked, before the last that worked is taken back. Default: 3. */
  readonly configTries?: number;
}

interface CommonOptions {
  readonly name: string;
  /** Held by at most one instance on a node; types that share one exclude each other there. Default: that of the service. */
  readonly serviceName?: string;
  readonly version: string;
  /** Kinds of resource that instances may hold, with the schema of their attributes. */
  readonly resources?: Readonly<Record<string, z.ZodObject>>;
  readonly restart?: RestartOptions;
  readonly startTimeout?: DurationText;
  readonly stopTimeout?: DurationText;
  readonly checkEvery?: DurationText;
  readonly checkTimeout?: DurationText;
  /** Liveness checks in a row that fail or get no answer before an instance is ended. Default: 3. */
  readonly livenessFailures?: number;
  /** Types of which an instance has to run on the same node. */
  readonly requires?: readonly string[];
  readonly memoryMb?: number;
  /**
   * Supervisors of other nodes that watch each instance too, 0 to 3; for what its own node cannot see. Default: 0.
   *
   * Each asks for its Check and liveness every second. What none of them gets a good answer of is checked at once by its
   * own node, and ended as a failure when it does not answer there either.
   */
  readonly watchers?: number;
}

/** Messages that a type takes: of each the schema of its arguments, `z.tuple([…])`. */
export type MessageSchemas = Readonly<Record<string, z.ZodTuple>>;

/** A service that is written for Halon: it runs in a thread of `halond`, or in a Node process of its own. */
export interface WorkerServiceOptions<Schema extends z.ZodObject> extends CommonOptions {
  readonly config: Schema;
  /** Default: `worker`, a thread of `halond`. */
  readonly isolation?: "worker" | "process";
  /** Default: `own`. `shared` is with others in one thread, which ends for all of them when one hangs. */
  readonly thread?: "own" | "shared";
  /** With it, messages are checked before they come to the service, and others are refused. */
  readonly messages?: MessageSchemas;
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
  /** Liveness: `livenessFailures` failures in a row end the process. Default: the kernel is asked whether it is alive. */
  readonly liveness?:
    | { readonly type: "alive" }
    | { readonly type: "tcp"; readonly port: string }
    | { readonly type: "http"; readonly url: string };
  /** Run to stop it; `stopSignal` follows when that fails or does not end the process. */
  readonly stopCommand?: readonly (string | FileReference)[];
  readonly stopSignal?: "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGHUP" | "SIGUSR1" | "SIGUSR2";
  readonly outputBytesMax?: number;
}

/** A service that runs as an OS process. */
export interface ProcessServiceOptions<Schema extends z.ZodObject> extends CommonOptions {
  readonly config: Schema;
  readonly process: ProcessOptions;
}

/** A service that an agent of the Open Cluster Framework runs. */
export interface OcfServiceOptions extends CommonOptions {
  /** `ocf:<provider>:<agent>`, for example `ocf:heartbeat:Dummy`. The agent has to be there when the file is applied. */
  readonly ocf: string;
  /** Default: the parameters that the agent's meta-data describe. */
  readonly config?: z.ZodObject;
}

/** A service that systemd runs as a unit. */
export interface SystemdServiceOptions<Schema extends z.ZodObject = z.ZodObject>
  extends CommonOptions {
  readonly config?: Schema;
  readonly systemd: SystemdOptions;
}

/** A systemd unit; its name may hold `{config.<field>}` and the like. */
export interface SystemdOptions {
  readonly unit: string;
}

/** What a service file exports by default. */
export interface ServiceDefinition extends CommonOptions {
  readonly kind: "halon.service";
  readonly config: z.ZodObject;
  readonly isolation?: "worker" | "process";
  readonly thread?: "own" | "shared";
  readonly messages?: MessageSchemas;
  readonly process?: ProcessOptions;
  readonly ocf?: string;
  readonly systemd?: SystemdOptions;
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
  /** At most one instance in the whole cluster, held by a lease. */
  readonly exclusive?: "cluster";
  /**
   * When an exclusive service may move off a lost node. `lease` (the default): when its lease is over. `command`: when
   * the command `nodes.fence` has confirmed too.
   */
  readonly fence?: "lease" | "command";
  /** Nodes, or labels as `key=value`, best first. Wishes: nothing moves for them once it has its place. */
  readonly prefer?: readonly string[];
  /** Services that have to be wanted on the same node. It follows them. */
  readonly with?: readonly string[];
  /** Services that may not be wanted on the same node. It gives way to them. */
  readonly apart?: readonly string[];
  /** Services that have to run before it starts: on its own node if they are wanted there, else anywhere. */
  readonly after?: readonly string[];
  /** A label: instances are spread over its values. */
  readonly spread?: string;
}

/** A program run when a node is gone: arguments, never a shell. `{target}` is the name of that node. */
export interface NodeCommandOptions {
  readonly command: readonly string[];
  /** Default: 1m. */
  readonly timeout?: DurationText;
}

/** What the cluster does about nodes that are gone. */
export interface NodesOptions {
  /** Attempts to bring a node back. The command, if there is one, is run at each of them on another node. */
  readonly recover?: {
    /** Default: 60s. */
    readonly every?: DurationText;
    /** Default: 5; 0: none is made. */
    readonly attempts?: number;
    readonly command?: readonly string[];
    readonly timeout?: DurationText;
  };
  /** Makes sure that nothing runs on a node any more: its exit code 0 confirms it. */
  readonly fence?: NodeCommandOptions;
  /** So many nodes, and more than this share of all, lost within the time: nothing moves until a person says so. */
  readonly breaker?: {
    /** Default: 3. */
    readonly nodes?: number;
    /** Default: 0.34. */
    readonly share?: number;
    /** Default: 1m. */
    readonly within?: DurationText;
  };
}

/** A rule file that is given options; its schema checks them when the cluster file is applied. */
export interface RuleFileOptions {
  readonly file: string;
  /** JSON, at most 64 KiB. What is not there takes its default, also where it was changed at run time. */
  readonly options?: JsonObject;
}

/** A cluster file: what shall run, and the rules beside the built-in ones. */
export interface ClusterOptions {
  readonly services?: readonly ClusterServiceOptions[];
  /** Paths, or names of the library such as `halon:rolling-restart`. */
  readonly rules?: readonly (string | RuleFileOptions)[];
  /** Absent: as the cluster has it. */
  readonly nodes?: NodesOptions;
}

/** What a cluster file exports by default. */
export interface ClusterDefinition extends ClusterOptions {
  readonly kind: "halon.cluster";
}
