import { Worker } from "node:worker_threads";
import { type EventEntry, fromErrorData, HalonError } from "@halon/protocol";
import type { EventInput, Reply } from "./core/index.ts";
import type { AskedLease } from "./core/leases.ts";
import type { HistoryQuery } from "./history.ts";
import { makeProgress } from "./thread/progress.ts";
import type {
  CoordinatorData,
  CoordinatorThreadData,
  FromCoordinator,
  JournalRecord,
  NumberedEvent,
  ToCoordinator,
} from "./thread/wire.ts";
import { watchThread } from "./watchdog.ts";

/** How long the coordinator may take to read its log. */
const startDeadlineMs = 60_000;
const stopDeadlineMs = 5_000;
const answerDeadlineMs = 10_000;
/** As long as a lease: a later answer is of no use. */
const renewDeadlineMs = 2_000;

/** What the coordinator tells, besides its answers. */
export type CoordinatorNews = Extract<
  FromCoordinator,
  {
    type:
      | "following"
      | "leading"
      | "owner"
      | "commands"
      | "ack"
      | "gap"
      | "record"
      | "journalGap"
      | "blobsMissing"
      | "warning";
  }
>;

/**
 * The coordinator's thread, seen from the main thread.
 *
 * It is a standby first: `record` tells each record that follows the last `following.index`, in order, without a gap. After
 * `leading` it decides; `record` goes on in the same order.
 */
export interface CoordinatorHost {
  /** `leading` from that news on until the end. */
  readonly phase: "standby" | "leading";
  /** Under which it decides; of the last record before `following` while it is a standby. */
  readonly epoch: number;
  /** As of the last `following`, as are `clusterId` and `graph`. */
  readonly index: number;
  readonly clusterId: string | null;
  /** The graph's JSON. */
  readonly graph: string;
  /** Errors: HAL_NO_LEADER when it does not lead. */
  events(source: string, incarnation: number, events: readonly NumberedEvent[]): void;
  /** Errors: HAL_NO_LEADER when it does not lead, or ended before it answered; HAL_TIMEOUT. */
  submit(id: string, event: EventInput, timeoutMs: number): Promise<Reply>;
  /** What this node has seen; no effect when it does not lead: the next leader sees it for itself. */
  observe(type: string, data: EventInput["data"]): void;
  /**
   * The instances of those asked for that the node may run for another lease, which counts from when it asked.
   *
   * Errors: HAL_NO_LEADER when it does not lead, or that cannot be confirmed now; HAL_TIMEOUT, HAL_TOO_MANY.
   */
  renew(node: string, asked: readonly AskedLease[]): Promise<readonly string[]>;
  /** No effect when it does not lead. */
  resend(node: string): void;
  /** The last sequence of the source that is durable; 0 for none of this incarnation. Errors: HAL_NO_LEADER. */
  watermark(source: string, incarnation: number): Promise<number>;
  /** In both phases. */
  history(query: HistoryQuery): Promise<readonly EventEntry[]>;
  /** What the journal has from `from` to `to`, for the journal of another node: in order, at most 1 MiB or one record. */
  journalRecords(from: number, to: number): Promise<readonly JournalRecord[]>;
  /**
   * Gives records that `journalGap` named, in order, at most 1 MiB a call. Those passed over are missing for good. The gap
   * is closed by its last record.
   */
  fillJournal(records: readonly JournalRecord[]): void;
  /** Nobody has the rest of the gap: the journal goes on behind it. */
  leaveJournalGap(): void;
  /**
   * Rejects when it ends without having been told to: with HAL_NO_LEADER when leadership was lost, with another code
   * when it crashed or hung.
   */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

interface Pending {
  readonly resolve: (message: FromCoordinator) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Starts the coordinator's thread and resolves with its first `following`, which `listener` is told too, and before it what
 * came earlier.
 *
 * The port in `data.store` goes over to the thread.
 */
export async function startCoordinator(
  data: CoordinatorData,
  listener: (news: CoordinatorNews) => void,
): Promise<CoordinatorHost> {
  const progress = makeProgress();
  const workerData: CoordinatorThreadData = { ...data, progress };
  const transferList = data.store.type === "agency" ? [data.store.port] : [];
  const worker = new Worker(entry(), { workerData, transferList, name: "coordinator" });
  const seen: Seen = { phase: "standby", following: undefined, epoch: 0, files: [] };
  const pending = new Map<number, Pending>();
  const ended = new Ending(pending, seen);
  const watch = watchThread({
    worker,
    progress,
    files: () => seen.files,
    hung: (error) => ended.fail(error),
  });
  const following = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => {
      ended.fail(
        new HalonError(
          "HAL_TIMEOUT",
          `The coordinator did not read its log within ${startDeadlineMs} ms.`,
        ),
      );
      void worker.terminate();
    }, startDeadlineMs);
    worker.on("message", (message: FromCoordinator) => {
      receive(message, { seen, pending, ended, listener });
      if (message.type !== "following") return;
      clearTimeout(late);
      resolve();
    });
    worker.on("error", (error) => ended.fail(watch.crashed(error)));
    worker.on("exit", () => {
      clearTimeout(late);
      watch.close();
      ended.close();
      reject(
        ended.reason ??
          new HalonError("HAL_INTERNAL", "The coordinator ended before it had read its log."),
      );
    });
  });
  await following;
  return createHost(worker, seen, pending, ended);
}

/** What the thread has told so far. */
interface Seen {
  phase: "standby" | "leading";
  following: Extract<FromCoordinator, { type: "following" }> | undefined;
  epoch: number;
  files: Extract<FromCoordinator, { type: "ruleFiles" }>["files"];
}

function entry(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL("../dist/thread/entry.js", here)
    : new URL("./thread/entry.js", here);
}

function createHost(
  worker: Worker,
  seen: Seen,
  pending: Map<number, Pending>,
  ended: Ending,
): CoordinatorHost {
  const post = (message: ToCoordinator): void => worker.postMessage(message);
  const ask = asker(post, pending, ended);
  const refuseStandby = (): void => {
    if (seen.phase !== "leading") throw notLeading();
  };
  return {
    get phase() {
      return seen.phase;
    },
    get epoch() {
      return seen.epoch;
    },
    get index() {
      return seen.following?.index ?? 0;
    },
    get clusterId() {
      return seen.following?.clusterId ?? null;
    },
    get graph() {
      return seen.following?.graph ?? "";
    },
    events(source, incarnation, events) {
      refuseStandby();
      post({ type: "events", source, incarnation, events });
    },
    async submit(id, event, timeoutMs) {
      refuseStandby();
      const answer = await ask(timeoutMs, (ref) => ({ type: "submit", ref, id, event }));
      if (answer.type !== "reply") throw noLeader();
      return answer.reply;
    },
    observe(type, data) {
      if (seen.phase === "leading") post({ type: "observe", event: { type, version: 1, data } });
    },
    async renew(node, asked) {
      refuseStandby();
      const answer = await ask(renewDeadlineMs, (ref) => ({ type: "renew", ref, node, asked }));
      return answer.type === "granted" ? answer.instances : [];
    },
    resend(node) {
      if (seen.phase === "leading") post({ type: "resend", node });
    },
    async watermark(source, incarnation) {
      refuseStandby();
      const answer = await ask(answerDeadlineMs, (ref) => ({
        type: "watermark",
        ref,
        source,
        incarnation,
      }));
      return answer.type === "watermarkIs" ? answer.sequence : 0;
    },
    async history(query) {
      const answer = await ask(answerDeadlineMs, (ref) => ({ type: "history", ref, query }));
      return answer.type === "historyIs" ? answer.entries : [];
    },
    async journalRecords(from, to) {
      const answer = await ask(answerDeadlineMs, (ref) => ({ type: "readJournal", ref, from, to }));
      return answer.type === "journalIs" ? answer.records : [];
    },
    fillJournal: (records) => post({ type: "journalRecords", records }),
    leaveJournalGap: () => post({ type: "journalGapStays" }),
    ended: ended.promise,
    stop: async () => {
      ended.expect();
      post({ type: "stop" });
      const late = setTimeout(() => void worker.terminate(), stopDeadlineMs);
      await ended.promise;
      clearTimeout(late);
    },
  };
}

/** Asks the thread, and waits for the answer of the same number. */
function asker(
  post: (message: ToCoordinator) => void,
  pending: Map<number, Pending>,
  ended: Ending,
): (timeoutMs: number, question: (ref: number) => ToCoordinator) => Promise<FromCoordinator> {
  let lastRef = 0;
  return (timeoutMs, question) => {
    if (ended.isOver) return Promise.reject(noLeader());
    lastRef += 1;
    const ref = lastRef;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        pending.delete(ref);
        reject(
          new HalonError(
            "HAL_TIMEOUT",
            `The coordinator did not answer within ${timeoutMs} ms; the outcome is unknown.`,
          ),
        );
      }, timeoutMs);
      pending.set(ref, {
        resolve: (message) => {
          clearTimeout(late);
          resolve(message);
        },
        reject: (error) => {
          clearTimeout(late);
          reject(error);
        },
      });
      post(question(ref));
    });
  };
}

function receive(
  message: FromCoordinator,
  {
    seen,
    pending,
    ended,
    listener,
  }: {
    readonly seen: Seen;
    readonly pending: Map<number, Pending>;
    readonly ended: Ending;
    readonly listener: (news: CoordinatorNews) => void;
  },
): void {
  switch (message.type) {
    case "reply":
      // Whoever listens may take a record a turn later than it came; its reply must not overtake it.
      setImmediate(() => take(pending, message.ref)?.resolve(message));
      return;
    case "granted":
    case "watermarkIs":
    case "historyIs":
    case "journalIs":
      take(pending, message.ref)?.resolve(message);
      return;
    case "failed":
      take(pending, message.ref)?.reject(fromErrorData(message.error));
      return;
    case "ruleFiles":
      seen.files = message.files;
      return;
    case "fatal":
      seen.phase = "standby";
      ended.fail(fromErrorData(message.error));
      return;
    case "following":
      seen.following = message;
      seen.epoch = message.epoch;
      break;
    case "leading":
      seen.phase = "leading";
      seen.epoch = message.epoch;
      break;
    default:
  }
  listener(message);
}

function take(pending: Map<number, Pending>, ref: number): Pending | undefined {
  const found = pending.get(ref);
  pending.delete(ref);
  return found;
}

function notLeading(): HalonError {
  return new HalonError(
    "HAL_NO_LEADER",
    "The coordinator of this node does not lead; send it to the one that does.",
  );
}

function noLeader(): HalonError {
  return new HalonError(
    "HAL_NO_LEADER",
    "The coordinator has ended before it answered: whether the event took effect is not known; ask again under the same id.",
  );
}

/** The end of the thread: expected, or with the reason that came before it. */
class Ending {
  readonly promise: Promise<void>;
  reason: HalonError | undefined;
  isOver = false;
  #isExpected = false;
  readonly #pending: Map<number, Pending>;
  readonly #seen: Seen;
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(pending: Map<number, Pending>, seen: Seen) {
    this.#pending = pending;
    this.#seen = seen;
    this.promise = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Without a listener the rejection would end the process: whoever waits hears of it, nobody has to.
    this.promise.catch(() => undefined);
  }

  expect(): void {
    this.#isExpected = true;
  }

  fail(reason: HalonError): void {
    this.reason ??= reason;
  }

  close(): void {
    this.isOver = true;
    this.#seen.phase = "standby";
    // Replies that came last are handed on a turn later, and go before this.
    setImmediate(() => {
      for (const { reject } of this.#pending.values()) reject(noLeader());
      this.#pending.clear();
    });
    if (this.#isExpected) this.#settle?.resolve();
    else
      this.#settle?.reject(
        this.reason ?? new HalonError("HAL_INTERNAL", "The coordinator's thread ended."),
      );
  }
}
