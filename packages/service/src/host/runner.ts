import type { Health, Json, JsonObject, ServiceManifest } from "@halon/protocol";
import type { InstanceEvent } from "../core/index.ts";
import type { InstancePlace, TroubleAnswer } from "../definition.ts";

/** How a service finds others and talks to them. */
export interface ServiceDirectory {
  /** The running instances of a service, by node. */
  lookup(service: string): Promise<readonly InstancePlace[]>;
  /** Calls a message of an instance on whatever node it runs; one attempt, with a deadline of its own. */
  call(instance: string, message: string, args: readonly Json[]): Promise<Json>;
  /** Gives an event to the rule files that run on this node. Rejects with HAL_EVENT_UNKNOWN, HAL_OVERLOADED, and others. */
  publish(type: string, data: Json): Promise<void>;
}

/** How long a cluster-exclusive instance may run, and the number of its start. */
export interface Lease {
  readonly token: number;
  readonly leaseMs: number;
  /** Its first end, in ms of the machine's monotonic clock (`process.hrtime`). Absent: `leaseMs` from the call of the runner. */
  readonly untilMs?: number;
}

/** What a runner needs to bring one instance to life. */
export interface RunnerSpec {
  readonly node: string;
  readonly service: string;
  readonly instance: string;
  readonly manifest: ServiceManifest;
  /** The configuration as the graph has it: secrets are references in it, so it may be written down and shown. */
  readonly config: JsonObject;
  readonly configHash: string;
  /**
   * The configuration with the values of its secrets, for the environment of a process or the code of a service.
   *
   * They are read once, at the first call. It must not be written down, logged or shown. Throws HAL_CONFIG_INVALID,
   * which names the reference that cannot be read and never a value.
   */
  configValues(): JsonObject;
  /** Absolute path of a blob on this node; it is there and its hash was checked. */
  blobPath(hash: string): string;
  /** Of a cluster-exclusive service: it is ended when the last renewal runs out. */
  readonly lease?: Lease;
  /** `<data-dir>/services/<service>`, made by the caller with mode 0700. */
  readonly directory: string;
  /** What `lookup` and `call` of the service's context ask; absent where there are no other services. */
  readonly peers?: ServiceDirectory | undefined;
}

/** What a runner reports. `exited` is always the last, exactly once, and only when nothing of it runs any more. */
export type RunnerEvent =
  | InstanceEvent
  /** The service changed its own configuration; `config` has the values of its secrets. */
  | { readonly type: "reconfigured"; readonly config: JsonObject };

/** One running thing behind an instance: a worker thread or an OS process. The simulator has a third. */
export interface Runner {
  readonly osPid: number | undefined;
  /** Asks it to stop; the caller has the deadline and then calls `kill`. */
  requestStop(): void;
  /** Ends it by force, its whole process group; `exited` follows. */
  kill(): void;
  check(timeoutMs: number): Promise<{ readonly health: Health; readonly detail?: string }>;
  /** Liveness, where it is asked for beside its beats; a runner without it is not asked. Never rejects. */
  alive?(timeoutMs: number): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  status(timeoutMs: number): Promise<Json>;
  /**
   * `config` has the values of its secrets: it must not be written down or shown. `restart`: it cannot take the
   * configuration while it runs.
   */
  reconfigure(config: JsonObject, timeoutMs: number): Promise<"done" | "restart">;
  /** Gives the service the answer to its trouble; does nothing when it has no such trouble. Runners of code only. */
  answerTrouble?(ref: string, answer: TroubleAnswer): void;
  /** Calls one of the type's messages; the arguments have been checked against its schema. */
  call(message: string, args: readonly Json[], timeoutMs: number): Promise<Json>;
  /** Milliseconds since its code last showed progress; undefined where that cannot be seen. */
  silentMs(): number | undefined;
  /** Sampled memory in MiB; undefined where it is not known. */
  memoryMb(): number | undefined;
  /** The lease holds until then, in ms of the machine's monotonic clock (`process.hrtime`); of an exclusive service only. */
  renew?(untilMs: number): void;
  /** Lets go without ending it, so that the next `halond` can adopt it; false when it dies with this one. */
  release(): boolean;
}

export type StartRunner = (spec: RunnerSpec, listener: (event: RunnerEvent) => void) => Runner;
