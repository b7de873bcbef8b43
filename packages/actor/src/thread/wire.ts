import type { MessagePort } from "node:worker_threads";
import { HalonError } from "@halon/protocol";
import type { ExitReason } from "../behaviour.ts";
import type { Pid, SystemId } from "../pid.ts";
import { assertPlain } from "../plain.ts";
import type { Route, Signal } from "../signal.ts";

/** What a thread is started with. */
export interface ThreadStart {
  readonly id: SystemId;
  readonly pid: Pid;
  readonly entry: string;
  readonly args: unknown;
  readonly name: string | null;
  readonly mailboxMax: number | null;
}

/** What crosses a port between two threads. */
export type ThreadFrame =
  | { readonly type: "signals"; readonly signals: readonly Signal[] }
  /** So many signals were read: room for as many more. */
  | { readonly type: "taken"; readonly count: number }
  | { readonly type: "connect"; readonly thread: number; readonly port: MessagePort }
  /** The thread's process ended; the thread exits next. */
  | { readonly type: "ended"; readonly reason: ExitReason };

/** The end of a port that is written to. */
export interface FramePort {
  postMessage(frame: ThreadFrame): void;
}

/** Messages on their way to one thread; a thread that hangs must not fill the memory of the others. */
const onWayMax = 20_000;

/** A way to the system of another thread: the signals of one tick are one post. */
export class ThreadRoute implements Route {
  readonly #port: FramePort;
  #signals: Signal[] = [];
  #onWay = 0;
  #armed = false;

  constructor(port: FramePort) {
    this.#port = port;
  }

  send(signal: Signal): void {
    if (signal.type === "send" || signal.type === "call") {
      assertPlain(signal.message);
      if (this.#onWay >= onWayMax)
        throw new HalonError(
          "HAL_MAILBOX_FULL",
          `${onWayMax} messages are on their way to a thread that does not read them.`,
        );
    } else if (signal.type === "reply") assertPlain(signal.value, "answer");
    this.#onWay += 1;
    this.#signals.push(signal);
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(this.#flush);
  }

  /** Takes what came from the other end and answers with room. */
  take(
    frame: ThreadFrame & { type: "signals" | "taken" },
    deliver: (signal: Signal) => void,
  ): void {
    if (frame.type === "taken") {
      this.#onWay -= frame.count;
      return;
    }
    this.#port.postMessage({ type: "taken", count: frame.signals.length });
    for (const signal of frame.signals) deliver(signal);
  }

  readonly #flush = (): void => {
    this.#armed = false;
    const signals = this.#signals;
    if (signals.length === 0) return;
    this.#signals = [];
    this.#port.postMessage({ type: "signals", signals });
  };

  /** Sends now what waits for the end of the tick. */
  flush(): void {
    this.#flush();
  }
}
