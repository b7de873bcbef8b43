import type { MessagePort } from "node:worker_threads";
import { HalonError } from "@halon/protocol";
import type { ExitReason } from "../core/behaviour.ts";
import type { Pid, SystemId } from "../core/pid.ts";
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
  /** `taken`: so many signals of the other end were read since the last frame: room for as many more. */
  | { readonly type: "signals"; readonly signals: readonly Signal[]; readonly taken: number }
  | { readonly type: "connect"; readonly thread: number; readonly port: MessagePort }
  /** The thread's process ended; the thread exits next. */
  | { readonly type: "ended"; readonly reason: ExitReason };

/** The end of a port that is written to. */
export interface FramePort {
  postMessage(frame: ThreadFrame): void;
}

/** Messages on their way to one thread; a thread that hangs must not fill the memory of the others. */
const onWayMax = 20_000;
/** Room is told along with signals; by itself only when this much was read, so that it costs no post per message. */
const takenMax = 2_000;

/** A way to the system of another thread: the signals of one tick are one post. */
export class ThreadRoute implements Route {
  readonly #port: FramePort;
  #signals: Signal[] = [];
  #onWay = 0;
  #taken = 0;
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
    this.#arm();
  }

  /** Takes what came from the other end. */
  take(frame: ThreadFrame & { type: "signals" }, deliver: (signal: Signal) => void): void {
    this.#onWay -= frame.taken;
    this.#taken += frame.signals.length;
    if (this.#taken >= takenMax) this.#arm();
    for (const signal of frame.signals) deliver(signal);
  }

  /** Sends now what waits for the end of the tick. */
  readonly flush = (): void => {
    this.#armed = false;
    const signals = this.#signals;
    const taken = this.#taken;
    if (signals.length === 0 && taken < takenMax) return;
    this.#signals = [];
    this.#taken = 0;
    this.#port.postMessage({ type: "signals", signals, taken });
  };

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(this.flush);
  }
}
