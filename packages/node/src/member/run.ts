import { type MessagePort, Worker } from "node:worker_threads";
import { fromErrorData, type HalonError } from "@halon/protocol";
import type {
  FromMemberThread,
  MemberThreadData,
  MemberThreadStatus,
  ToMemberThread,
} from "./wire.ts";

/** The beat of the thread is looked at so often. */
const lookMs = 250;
/** Looks without a beat before the thread is ended: 2 s, and 60 s while it reads its disk. */
const stillLooks = 8;
const openingLooks = 240;
const stopDeadlineMs = 5_000;
const statusDeadlineMs = 1_000;

/** How a thread has ended. */
export type RunEnd =
  /** It did not start, for a reason that was found. */
  | { readonly type: "failed"; readonly error: HalonError }
  /** The member cannot go on. */
  | { readonly type: "ended"; readonly reason: string; readonly exitCode: number }
  /** Another start may do better. `reason` is a sentence. */
  | { readonly type: "crashed"; readonly reason: string };

/** One thread of a member, from its start to its end. */
export class MemberRun {
  readonly socketPath: string;
  /** Null when the member has read its disk; else the end that came before. Never rejects. */
  readonly opened: Promise<RunEnd | null>;
  isOpen = false;
  readonly #worker: Worker;
  readonly #events: {
    readonly log: (line: string) => void;
    readonly onEnd: (end: RunEnd) => void;
  };
  readonly #beat: Int32Array;
  readonly #watch: NodeJS.Timeout;
  readonly #asked = new Map<number, (status: MemberThreadStatus) => void>();
  #lastRef = 0;
  #beats = -1;
  #looks = 0;
  #end: RunEnd | undefined;
  #open: (end: RunEnd | null) => void = () => undefined;
  readonly #exited: Promise<void>;

  constructor(
    entry: URL,
    data: Omit<MemberThreadData, "beat">,
    events: { readonly log: (line: string) => void; readonly onEnd: (end: RunEnd) => void },
  ) {
    this.socketPath = data.socketPath;
    this.#events = events;
    const beat = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    this.#beat = new Int32Array(beat);
    this.opened = new Promise((resolve) => {
      this.#open = resolve;
    });
    const workerData: MemberThreadData = { ...data, beat };
    // It is compiled code, and resolves what it imports as such, whatever the process was started with.
    const worker = new Worker(entry, { workerData, name: "member", execArgv: [] });
    this.#worker = worker;
    this.#watch = setInterval(() => this.#look(), lookMs);
    worker.on("message", (message: FromMemberThread) => this.#receive(message));
    worker.on("error", (error) => {
      this.#end ??= { type: "crashed", reason: `The member's thread crashed: ${error.message}.` };
    });
    this.#exited = new Promise((resolve) => {
      worker.once("exit", () => {
        this.#exit();
        resolve();
      });
    });
  }

  giveHostLog(port: MessagePort): void {
    this.#worker.postMessage({ type: "hostLog", port } satisfies ToMemberThread, [port]);
  }

  status(): Promise<MemberThreadStatus> {
    return new Promise((resolve) => {
      this.#lastRef += 1;
      const ref = this.#lastRef;
      const answer = (status: MemberThreadStatus): void => {
        clearTimeout(late);
        this.#asked.delete(ref);
        resolve(status);
      };
      const reason = this.isOpen ? "its thread does not answer" : "it reads its disk";
      const late = setTimeout(() => answer(unavailable(reason)), statusDeadlineMs);
      this.#asked.set(ref, answer);
      this.#worker.postMessage({ type: "status", ref } satisfies ToMemberThread);
    });
  }

  /** Resolves when the thread has ended. */
  async stop(): Promise<void> {
    this.#worker.postMessage({ type: "stop" } satisfies ToMemberThread);
    const late = setTimeout(() => void this.#worker.terminate(), stopDeadlineMs);
    await this.#exited;
    clearTimeout(late);
  }

  #receive(message: FromMemberThread): void {
    switch (message.type) {
      case "ready":
        this.isOpen = true;
        this.#open(null);
        return;
      case "log":
        this.#events.log(message.line);
        return;
      case "statusIs":
        this.#asked.get(message.ref)?.(message.status);
        return;
      case "ended":
        this.#end ??= message;
        return;
      case "failed":
        this.#end ??= startFailure(fromErrorData(message.error));
        return;
    }
  }

  /** Counts looks rather than time: whatever stops the whole process stops this, too. */
  #look(): void {
    const beats = Atomics.load(this.#beat, 0);
    this.#looks = beats === this.#beats ? this.#looks + 1 : 0;
    this.#beats = beats;
    if (this.#looks < (this.isOpen ? stillLooks : openingLooks)) return;
    const reason = `The member's thread has not moved for ${this.#looks * lookMs} ms; it was ended.`;
    this.#end ??= { type: "crashed", reason };
    void this.#worker.terminate();
  }

  #exit(): void {
    clearInterval(this.#watch);
    for (const answer of this.#asked.values()) answer(unavailable("its thread has ended"));
    const end = this.#end ?? { type: "crashed", reason: "The member's thread ended." };
    this.#open(end);
    this.#events.onEnd(end);
  }
}

/** What is no fault of disk or identity may be gone at the next start. */
function startFailure(error: HalonError): RunEnd {
  if (error.code !== "HAL_INTERNAL") return { type: "failed", error };
  return { type: "crashed", reason: `The member's thread did not start: ${error.message}` };
}

function unavailable(reason: string): MemberThreadStatus {
  return { role: "unavailable", term: 0, leaderId: null, leaderAddress: null, reason };
}
