import type { CommandAction, InventoryInstance, Json, ServiceKind } from "@halon/protocol";
import type { ActionOf, Answer, RuntimeEvent } from "../../core/index.ts";
import type { AdoptOptions, Found } from "../process/index.ts";
import type { ServiceDirectory, StartRunner } from "../runner.ts";

export type { ActionOf, Answer, RuntimeEvent };

/** Finds the OS processes of an earlier `halond`. */
export type Adopt = (options: AdoptOptions, onFound: (found: Found) => void) => Promise<void>;

/** What the runtime is given. */
export interface RuntimeOptions {
  readonly node: string;
  readonly dataDir: string;
  /** Absolute path of a blob that is on this node. */
  blobPath(hash: string): string;
  /** Takes what the runtime reports; per instance in causal order. Must not throw. */
  emit(event: RuntimeEvent): void;
  /** How each kind of service is run here; of a kind that is missing nothing can be started. */
  readonly runners: Readonly<Partial<Record<ServiceKind, StartRunner>>>;
  /** Runs every start with a lease, of whatever kind; without it none is started. */
  readonly kept?: StartRunner;
  /** Each finds what it can; in this order. */
  readonly adopters?: readonly Adopt[];
  /** What services ask when they look for others. */
  readonly directory?: ServiceDirectory;
  /** Milliseconds of the machine's monotonic clock, by which leases end: `monotonicMs`. */
  now(): number;
}

/** The supervisor and service host of a node. It reports and never recovers. */
export interface Runtime {
  /** Carries out any command. `command` is its id, which the answering event names. */
  perform(action: CommandAction, command?: string): void;
  start(action: ActionOf<"StartService">, command?: string): void;
  stop(action: ActionOf<"StopService">, command?: string): void;
  check(action: ActionOf<"CheckService">, command?: string): void;
  reportStatus(action: ActionOf<"ReportStatus">, command?: string): void;
  reconfigure(action: ActionOf<"ReconfigureService">, command?: string): void;
  answerTrouble(action: ActionOf<"AnswerTrouble">, command?: string): void;
  /** Calls one of the messages of a running instance. Rejects with HAL_SERVICE_NOT_RUNNING, HAL_NOT_FOUND, HAL_SCHEMA_VIOLATION, HAL_TIMEOUT. */
  call(instance: string, message: string, args: readonly Json[], timeoutMs: number): Promise<Json>;
  /**
   * Asks a running instance for its Check and its liveness; one that is not alive fails. Others on its behalf ask so:
   * nothing is ended by it. Rejects with HAL_SERVICE_NOT_RUNNING.
   */
  probe(instance: string): Promise<Answer>;
  /** Sampled memory in MiB of each worker for which it is known. */
  samples(): readonly { readonly instance: string; readonly memoryMb: number }[];
  /** All that runs, starts or stops here. */
  inventory(): InventoryInstance[];
  /**
   * Begins to watch anew what runs here, as far as `isMonitored` says; answers how many instances. What is started
   * later is watched too. Before the first call everything is watched.
   */
  supervise(isMonitored: (instance: string) => boolean): number;
  /** Grows with every look at the instances; one that stands still means that nothing is watched. */
  looks(): number;
  /** Exclusive instances that run, wait to start or end here, each with the lease of its start. */
  leased(): readonly {
    readonly instance: string;
    readonly token: number;
    readonly leaseMs: number;
  }[];
  /**
   * The instance's lease holds until `untilMs` of the machine's monotonic clock (`process.hrtime`); never moved back.
   *
   * Of an instance that is not known yet it is kept for its start, which is refused without a lease that holds.
   */
  renew(instance: string, untilMs: number): void;
  /** Takes over the OS processes of an earlier `halond`; call it once, before the first command. */
  adopt(): Promise<void>;
  /** Stops everything; with `keep`, what can outlive `halond` runs on. Ends within the stop deadlines. */
  shutdown(options: { readonly keep: boolean }): Promise<void>;
}
