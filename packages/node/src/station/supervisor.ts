import type { CoordinatorHost, CoordinatorNews, Suspect } from "@halon/coordinator";
import { HalonError, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import { afterEnd, firstSupervision, type ThreadEnd } from "../core/index.ts";

/** These say that the disk is not this node's, or not whole: another start reads the same. */
const hopeless: ReadonlySet<string> = new Set([
  "HAL_DATA_DIR_INVALID",
  "HAL_DATA_DIR_VERSION",
  "HAL_STORE_DAMAGED",
  "HAL_CONFLICT",
]);

export interface SupervisorOptions {
  /** Starts a thread that leaves out the suspects; `hear` is told its news. */
  start(
    suspects: readonly Suspect[],
    hear: (news: CoordinatorNews) => void,
  ): Promise<CoordinatorHost>;
  /** News of the thread that runs; none of one that has ended. */
  hear(news: CoordinatorNews): void;
  /** The thread has ended; `phase` is that of its end. */
  ended(): void;
  /** Asks the agency for another leader; best effort. */
  handOver(): Promise<void>;
  readonly log: Logger;
}

/** What `/readyz` and the operator are told. */
export interface SupervisorStatus {
  readonly phase: "starting" | "standby" | "leading";
  /** Threads that ended. */
  readonly restarts: number;
  /** Of the last end; null before the first. */
  readonly reason: string | null;
}

/** The recovery supervisor: keeps one coordinator's thread running (rfc/0006). */
export class RecoverySupervisor {
  readonly #options: SupervisorOptions;
  /** By blob: rule files that made a coordinator hang. New code has another blob, and its own chance. */
  readonly #suspects = new Map<string, Suspect>();
  #coordinator: CoordinatorHost | undefined;
  #supervision = firstSupervision;
  #restarts = 0;
  #reason: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Counts the threads: news of an earlier one is none. */
  #thread = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get coordinator(): CoordinatorHost | undefined {
    return this.#coordinator;
  }

  get status(): SupervisorStatus {
    const phase = this.#coordinator?.phase ?? "starting";
    return { phase, restarts: this.#restarts, reason: this.#reason };
  }

  /** Resolves when the first thread has read its log. Rejects when the disk cannot be used as it is. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => this.#begin({ resolve, reject }));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const coordinator = this.#coordinator;
    this.#coordinator = undefined;
    await coordinator?.stop();
  }

  #begin(first?: {
    readonly resolve: () => void;
    readonly reject: (error: unknown) => void;
  }): void {
    this.#thread += 1;
    const thread = this.#thread;
    const hear = (news: CoordinatorNews): void => {
      if (thread === this.#thread && !this.#isClosed) this.#options.hear(news);
    };
    const startedAt = performance.now();
    this.#options.start([...this.#suspects.values()], hear).then(
      (coordinator) => {
        if (this.#isClosed) {
          void coordinator.stop();
          return;
        }
        this.#coordinator = coordinator;
        first?.resolve();
        coordinator.ended.then(
          () => undefined,
          (error) => this.#ended(error, performance.now() - startedAt),
        );
      },
      (error) => {
        if (first !== undefined && hopeless.has(toErrorData(error).code)) first.reject(error);
        else this.#ended(error, 0, first);
      },
    );
  }

  #ended(
    error: unknown,
    ranMs: number,
    first?: { readonly resolve: () => void; readonly reject: (error: unknown) => void },
  ): void {
    this.#thread += 1;
    this.#coordinator = undefined;
    if (this.#isClosed) return;
    const { code, message: reason } = toErrorData(error);
    const end: ThreadEnd = this.#suspect(error)
      ? "suspected"
      : code === "HAL_NO_LEADER"
        ? "lost"
        : "crashed";
    this.#restarts += 1;
    this.#reason = reason;
    const { log } = this.#options;
    if (end === "lost") log.info({ reason }, "the coordinator does not lead any more");
    else log.error({ reason }, "the coordinator has ended; it is started again");
    const now = performance.now();
    const [supervision, next] = afterEnd(this.#supervision, end, { now, ranMs });
    this.#supervision = supervision;
    this.#options.ended();
    if (next.handsOver) {
      log.warn("the coordinator crashed twice within a minute; another node is asked to lead");
      this.#options.handOver().catch((fault) => {
        log.warn({ reason: toErrorData(fault).message }, "no other node could be asked to lead");
      });
    }
    this.#timer = setTimeout(() => this.#begin(first), next.waitMs);
  }

  /** Takes note of the rule file that an error blames; false when it blames none, or one that is known. */
  #suspect(error: unknown): boolean {
    const suspect = error instanceof HalonError ? error.details["suspect"] : undefined;
    if (suspect === undefined) return false;
    const { blob, reason } = suspect as Suspect;
    if (this.#suspects.has(blob)) return false;
    this.#suspects.set(blob, { blob, reason });
    return true;
  }
}
