import type { MessagePort, Worker } from "node:worker_threads";
import type { ErrorData } from "@halon/protocol";
import type * as Comlink from "comlink";

export interface WrapOptions {
  /** Deadline of every call; HAL_TIMEOUT. */
  readonly timeoutMs: number;
  /** The thread behind a MessagePort, so that its death is seen at once. */
  readonly worker?: Worker;
  /** Called once, when the worker ended or the port closed. */
  readonly onDeath?: (error: ErrorData) => void;
}

export interface WrappedWorker<T> {
  readonly remote: Comlink.Remote<T>;
  /** Rejects pending calls and takes the listeners off; the worker is left running. */
  dispose(): void;
}

/** Comlink's endpoint over a worker or port; its own adapter has no usable types here. */
export declare function nodeEndpoint(port: MessagePort | Worker): Comlink.Endpoint;
/** Typed calls to a worker; calls reject with a HalonError when the worker dies or the deadline passes. */
export declare function wrapWorker<T>(
  port: MessagePort | Worker,
  options: WrapOptions,
): WrappedWorker<T>;
/** Answers calls of `wrapWorker`; errors keep code and details. */
export declare function exposeWorker(api: object, port: MessagePort): void;
