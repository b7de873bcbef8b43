import { Worker } from "node:worker_threads";
import { type ErrorData, type EventEntry, fromErrorData, HalonError } from "@halon/protocol";
import type { EventInput, Reply } from "./core/index.ts";
import type { HistoryQuery } from "./history.ts";
import { makeProgress } from "./thread/progress.ts";
import type {
  CoordinatorData,
  CoordinatorThreadData,
  FromCoordinator,
  NumberedEvent,
  ToCoordinator,
} from "./thread/wire.ts";
import { watchThread } from "./watchdog.ts";

/** How long the coordinator may take to read its log. */
const startDeadlineMs = 60_000;
const stopDeadlineMs = 5_000;
const answerDeadlineMs = 10_000;

/** What the coordinator tells, besides its answers. */
export type CoordinatorNews = Extract<
  FromCoordinator,
  { type: "commands" | "ack" | "gap" | "record" | "warning" }
>;

/** The coordinator's thread, seen from the main thread. */
export interface CoordinatorHost {
  readonly epoch: number;
  /** Of the last record before `ready`. */
  readonly index: number;
  readonly clusterId: string;
  /** The graph's JSON as of the last record before `ready`. */
  readonly graph: string;
  events(source: string, incarnation: number, events: readonly NumberedEvent[]): void;
  submit(id: string, event: EventInput, timeoutMs: number): Promise<Reply>;
  observe(type: string, data: EventInput["data"]): void;
  resend(node: string): void;
  /** The last sequence of the source that is durable; 0 for none of this incarnation. */
  watermark(source: string, incarnation: number): Promise<number>;
  history(query: HistoryQuery): Promise<readonly EventEntry[]>;
  /** Rejects when it ends without having been told to. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

interface Pending {
  readonly resolve: (message: FromCoordinator) => void;
  readonly reject: (error: Error) => void;
}

/** Starts the coordinator's thread and resolves when it has read its log. */
export async function startCoordinator(
  data: CoordinatorData,
  listener: (news: CoordinatorNews) => void,
): Promise<CoordinatorHost> {
  const progress = makeProgress();
  const workerData: CoordinatorThreadData = { ...data, progress };
  const worker = new Worker(entry(), { workerData, name: "coordinator" });
  const pending = new Map<number, Pending>();
  const ended = new Ending(pending);
  let files: Extract<FromCoordinator, { type: "ruleFiles" }>["files"] = [];
  const watch = watchThread({
    worker,
    progress,
    files: () => files,
    hung: (error) => ended.fail(error),
  });
  const ready = new Promise<Extract<FromCoordinator, { type: "ready" }>>((resolve, reject) => {
    const late = setTimeout(() => {
      reject(
        new HalonError(
          "HAL_TIMEOUT",
          `The coordinator did not read its log within ${startDeadlineMs} ms.`,
        ),
      );
      void worker.terminate();
    }, startDeadlineMs);
    worker.on("message", (message: FromCoordinator) => {
      if (message.type === "ready") {
        clearTimeout(late);
        resolve(message);
      } else if (message.type === "ruleFiles") files = message.files;
      else receive(message, pending, listener, ended);
    });
    worker.on("error", (error) =>
      ended.fail(
        new HalonError("HAL_INTERNAL", `The coordinator crashed: ${error.message}`, {
          cause: error,
        }),
      ),
    );
    worker.on("exit", () => {
      clearTimeout(late);
      watch.close();
      ended.close();
      reject(
        ended.reason ??
          new HalonError("HAL_INTERNAL", "The coordinator ended before it was ready."),
      );
    });
  });
  return createHost(worker, await ready, pending, ended);
}

function entry(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL("../dist/thread/entry.js", here)
    : new URL("./thread/entry.js", here);
}

function createHost(
  worker: Worker,
  ready: Extract<FromCoordinator, { type: "ready" }>,
  pending: Map<number, Pending>,
  ended: Ending,
): CoordinatorHost {
  let lastRef = 0;
  const post = (message: ToCoordinator): void => worker.postMessage(message);
  const ask = (
    timeoutMs: number,
    question: (ref: number) => ToCoordinator,
  ): Promise<FromCoordinator> => {
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
  return {
    epoch: ready.epoch,
    index: ready.index,
    clusterId: ready.clusterId,
    graph: ready.graph,
    events: (source, incarnation, events) => post({ type: "events", source, incarnation, events }),
    submit: async (id, event, timeoutMs) => {
      const answer = await ask(timeoutMs, (ref) => ({ type: "submit", ref, id, event }));
      if (answer.type !== "reply") throw noLeader();
      return answer.reply;
    },
    observe: (type, data) => post({ type: "observe", event: { type, version: 1, data } }),
    resend: (node) => post({ type: "resend", node }),
    watermark: async (source, incarnation) => {
      const answer = await ask(answerDeadlineMs, (ref) => ({
        type: "watermark",
        ref,
        source,
        incarnation,
      }));
      return answer.type === "watermarkIs" ? answer.sequence : 0;
    },
    history: async (query) => {
      const answer = await ask(answerDeadlineMs, (ref) => ({ type: "history", ref, query }));
      return answer.type === "historyIs" ? answer.entries : [];
    },
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
  message: Exclude<FromCoordinator, { type: "ready" | "ruleFiles" }>,
  pending: Map<number, Pending>,
  listener: (news: CoordinatorNews) => void,
  ended: Ending,
): void {
  switch (message.type) {
    case "reply":
      // Whoever listens may take a record a turn later than it came; its reply must not overtake it.
      setImmediate(() => take(pending, message.ref)?.resolve(message));
      return;
    case "watermarkIs":
    case "historyIs":
      take(pending, message.ref)?.resolve(message);
      return;
    case "failed":
      take(pending, message.ref)?.reject(fromErrorData(message.error));
      return;
    case "fatal":
      ended.fail(fatalError(message.error));
      return;
    default:
      listener(message);
  }
}

function take(pending: Map<number, Pending>, ref: number): Pending | undefined {
  const found = pending.get(ref);
  pending.delete(ref);
  return found;
}

function fatalError(error: ErrorData): HalonError {
  return fromErrorData(error);
}

function noLeader(): HalonError {
  return new HalonError(
    "HAL_NO_LEADER",
    "The coordinator is not running; it is started again. Try again.",
  );
}

/** The end of the thread: expected, or with the reason that came before it. */
class Ending {
  readonly promise: Promise<void>;
  reason: HalonError | undefined;
  isOver = false;
  #isExpected = false;
  readonly #pending: Map<number, Pending>;
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(pending: Map<number, Pending>) {
    this.#pending = pending;
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
    for (const { reject } of this.#pending.values()) reject(noLeader());
    this.#pending.clear();
    if (this.#isExpected) this.#settle?.resolve();
    else
      this.#settle?.reject(
        this.reason ?? new HalonError("HAL_INTERNAL", "The coordinator's thread ended."),
      );
  }
}
