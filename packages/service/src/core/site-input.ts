import type {
  CommandAction,
  Exit,
  FailureCause,
  Health,
  Json,
  JsonObject,
  ServiceManifest,
} from "@halon/protocol";

/** One action of the protocol by its type. */
export type ActionOf<T extends CommandAction["type"]> = Extract<CommandAction, { type: T }>;

/** The configuration with its defaults, or what is wrong with it. */
export type ConfigOutcome =
  | { readonly type: "valid"; readonly config: JsonObject }
  | { readonly type: "invalid"; readonly reason: string };

/** What a site is made with. */
export interface SiteOptions {
  readonly node: string;
  /** Checks a configuration against the schema of its type. Pure. */
  checkConfig(
    manifest: Pick<ServiceManifest, "schemaHash" | "configurationSchema">,
    config: JsonObject,
  ): ConfigOutcome;
}

/** The lease of one start, and where it ends first, in ms of the site's clock. */
export interface HeldLease {
  readonly token: number;
  readonly leaseMs: number;
  /** Absent: `leaseMs` from now on. */
  readonly untilMs?: number;
}

/** What identifies an instance, and how it is run. */
export interface InstanceSpec {
  readonly service: string;
  readonly instance: string;
  readonly manifest: ServiceManifest;
  readonly configHash: string;
  readonly lease?: HeldLease;
}

/** What a runner reports, as both it and the site know it. `exited` is always the last, exactly once. */
export type InstanceEvent =
  | { readonly type: "loaded" }
  | { readonly type: "ready" }
  | {
      readonly type: "acquired";
      readonly kind: string;
      readonly id: string;
      readonly attributes: JsonObject;
    }
  | { readonly type: "released"; readonly kind: string; readonly id: string }
  /** The service says that it failed, or the runner knows why the exit that follows will come. */
  | {
      readonly type: "problem";
      readonly code: "HAL_SERVICE_LOAD" | "HAL_SERVICE_START" | "HAL_CONFIG_INVALID" | "HAL_FAILED";
      readonly reason: string;
      /** Default: `announced`, as the service said it. */
      readonly cause?: FailureCause | undefined;
      /** What the service itself called its failure. */
      readonly failureCode?: string | undefined;
      /** Given when nothing of its code goes on: the exit that follows, which frees what it holds. */
      readonly exit?: Exit | undefined;
    }
  /** Its work is done; it is asked to stop now, and `exited` is no failure. */
  | { readonly type: "exiting"; readonly reason: string }
  /** It waits for `answerTrouble` with this `ref`, which is unique within the instance. */
  | {
      readonly type: "trouble";
      readonly ref: string;
      readonly code: string;
      readonly reason: string;
      readonly data?: Json | undefined;
    }
  /** Nothing of it runs any more. Without a cause nobody announced it: `exit`. */
  | {
      readonly type: "exited";
      readonly exit: Exit;
      readonly reason: string;
      readonly cause?: FailureCause | undefined;
    };

/** What the site hears of an instance; its texts have no secrets any more. */
export type HeardEvent =
  | InstanceEvent
  /** It changed its own configuration to one that its schema takes; `configuration` is its hash. */
  | {
      readonly type: "reconfigured";
      readonly configuration: string;
      readonly config: JsonObject;
    }
  /** It changed its own configuration to one that its schema refuses. */
  | { readonly type: "misconfigured"; readonly reason: string };

/** What came of `askHealth`. */
export type HealthAnswer =
  | { readonly type: "answered"; readonly health: Health; readonly detail?: string | undefined }
  | { readonly type: "timedOut" }
  /** It has ended; its end is reported by itself. */
  | { readonly type: "notRunning" }
  /** It threw. */
  | { readonly type: "failed"; readonly reason: string };

/** What came of `askAlive`; a late answer is none: `ok` is false. */
export interface AliveAnswer {
  readonly ok: boolean;
  readonly detail?: string | undefined;
}

/** What came of `askStatus`. */
export type StatusAnswer =
  /** `bytes` is the length of the report as JSON. */
  | { readonly type: "report"; readonly report: Json; readonly bytes: number }
  | { readonly type: "failed"; readonly code: string; readonly reason: string };

/** What came of `reconfigure`. `restart`: it cannot take a configuration while it runs. */
export type ReconfigureAnswer =
  | { readonly type: "done" }
  | { readonly type: "restart" }
  | { readonly type: "failed"; readonly code: string; readonly reason: string };

/** What was seen of a running instance at a look. */
export interface Sample {
  readonly instance: string;
  /** Since its last sign of progress; undefined where that cannot be seen. */
  readonly silentMs: number | undefined;
  readonly memoryMb: number | undefined;
}
