import { Worker } from "node:worker_threads";
import {
  type DeadLetterList,
  type EventEntry,
  fromErrorData,
  HalonError,
  type PlannedActions,
} from "@halon/protocol";
import type { EventInput, Reply } from "./core/index.ts";
import type { AskedLease } from "./core/leases.ts";
import type { HistoryQuery } from "./history.ts";
import { makePlan, type PlanRequest } from "./plan/make.ts";
import { makeProgress } from "./realm/progress.ts";
import {
  asker,
  Ending,
  noLeader,
  notLeading,
  type Pending,
  type Seen,
  take,
} from "./thread/asking.ts";
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

const noLetters: DeadLetterList = { letters: [], dropped: 0, waiting: 0 };

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
  /** As of the last decision. Errors: HAL_NO_LEADER when it does not lead. */
  deadLetters(): Promise<DeadLetterList>;
  /**
   * What would follow if the cluster file were applied now; nothing is changed. One plan at a time: HAL_TOO_MANY. Other errors:
   * those of `makePlan`, and HAL_NO_LEADER when it does not lead.
   */
  plan(request: PlanRequest, timeoutMs: number): Promise<PlannedActions>;
  stop(): Promise<void>;
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
  return createHost(data, worker, seen, pending, ended);
}

function entry(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL("../dist/bundle/coordinator.js", here)
    : new URL("./bundle/coordinator.js", here);
}

function createHost(
  data: CoordinatorData,
  worker: Worker,
  seen: Seen,
  pending: Map<number, Pending>,
  ended: Ending,
): CoordinatorHost {
  const post = (message: ToCoordinator): void => worker.postMessage(message);
  const ask = asker(post, pending, ended);
  let isPlanning = false;
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
    async deadLetters() {
      refuseStandby();
      const answer = await ask(answerDeadlineMs, (ref) => ({ type: "deadLetters", ref }));
      return answer.type === "deadLettersAre" ? answer.list : noLetters;
    },
    async plan(request, timeoutMs) {
      refuseStandby();
      if (isPlanning)
        throw new HalonError("HAL_TOO_MANY", "Another plan is being made; try again in a moment.");
      isPlanning = true;
      try {
        const answer = await ask(timeoutMs, (ref) => ({ type: "capture", ref }));
        const snapshot = answer.type === "captured" ? answer.text : "";
        const { dataDir, suspects } = data;
        return await makePlan(request, { snapshot, dataDir, suspects }, timeoutMs);
      } finally {
        isPlanning = false;
      }
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
    case "deadLettersAre":
    case "captured":
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
