import { type MessagePort, Worker } from "node:worker_threads";
import { type ErrorData, fromErrorData, HalonError, toErrorData } from "@halon/protocol";
import * as Comlink from "comlink";

/** Options of `wrapWorker`. */
export interface WrapOptions {
  /** Deadline of every call; HAL_TIMEOUT. */
  readonly timeoutMs: number;
  /** The thread behind a MessagePort, so that its death is seen at once. */
  readonly worker?: Worker;
  /** Called once, when the worker ended or the port closed. */
  readonly onDeath?: (error: ErrorData) => void;
}

/** A worker that can be called. */
export interface WrappedWorker<T> {
  readonly remote: Comlink.Remote<T>;
  /** Rejects pending calls and takes the listeners off; the worker is left running. */
  dispose(): void;
}

interface DataEvent {
  readonly data: unknown;
}
type Listener = ((event: DataEvent) => void) | { handleEvent(event: DataEvent): void };
type Transfers = Parameters<Comlink.Endpoint["postMessage"]>[1];

/** Comlink's endpoint over a worker or port; its own adapter has no usable types here. */
export function nodeEndpoint(port: MessagePort | Worker): Comlink.Endpoint {
  const handlers = new Map<Listener, (data: unknown) => void>();
  return {
    postMessage: (message: unknown, transfers?: Transfers) => port.postMessage(message, transfers),
    addEventListener: (_type: string, listener: Listener) => {
      const call = listenerOf(listener);
      const handler = (data: unknown): void => call({ data });
      handlers.set(listener, handler);
      port.on("message", handler);
    },
    removeEventListener: (_type: string, listener: Listener) => {
      const handler = handlers.get(listener);
      if (handler !== undefined) port.off("message", handler);
      handlers.delete(listener);
    },
  };
}

function listenerOf(listener: Listener): (event: DataEvent) => void {
  return typeof listener === "function" ? listener : (event) => listener.handleEvent(event);
}

/**
 * Typed calls to a worker; they reject with a HalonError when the worker ended (HAL_FAILED) or the deadline passed.
 *
 * Comlink alone never settles a call whose worker is gone. It is no trust boundary: a peer can run code here.
 */
export function wrapWorker<T>(port: MessagePort | Worker, options: WrapOptions): WrappedWorker<T> {
  keepErrorCodes();
  const guard = new Guard(port, options);
  return { remote: Comlink.wrap<T>(guard.endpoint), dispose: () => guard.dispose() };
}

/** Answers calls of `wrapWorker`; errors keep code and details. */
export function exposeWorker(api: object, port: MessagePort): void {
  keepErrorCodes();
  Comlink.expose(api, nodeEndpoint(port));
}

/** Remembers the calls under way, and answers in place of a worker that cannot. */
class Guard {
  readonly endpoint: Comlink.Endpoint;
  readonly #options: WrapOptions;
  readonly #listeners = new Set<Listener>();
  readonly #pending = new Map<string, NodeJS.Timeout>();
  readonly #inner: Comlink.Endpoint;
  readonly #unwatch: () => void;
  #dead: ErrorData | null = null;

  constructor(port: MessagePort | Worker, options: WrapOptions) {
    this.#options = options;
    this.#inner = nodeEndpoint(port);
    this.endpoint = {
      postMessage: (message: unknown, transfers?: Transfers) => this.#post(message, transfers),
      addEventListener: (_type: string, listener: Listener) => {
        this.#listeners.add(listener);
      },
      removeEventListener: (_type: string, listener: Listener) => {
        this.#listeners.delete(listener);
      },
    };
    this.#inner.addEventListener("message", this.#onMessage);
    this.#unwatch = watchDeath(port, options.worker, (error) => this.#die(error));
  }

  dispose(): void {
    if (this.#dead === null)
      this.#end({ code: "HAL_FAILED", message: "The caller let the worker go." });
  }

  readonly #onMessage = (event: DataEvent): void => {
    const id = idOf(event.data);
    if (id !== null) this.#settle(id);
    this.#tell(event.data);
  };

  #post(message: unknown, transfers: Transfers): void {
    const id = idOf(message);
    if (id !== null && this.#dead !== null) {
      const error = this.#dead;
      queueMicrotask(() => this.#forge(id, error));
      return;
    }
    this.#inner.postMessage(message, transfers);
    if (id === null) return;
    const late: ErrorData = {
      code: "HAL_TIMEOUT",
      message: `The worker did not answer within ${this.#options.timeoutMs} ms.`,
    };
    const timer = setTimeout(() => this.#forge(id, late), this.#options.timeoutMs);
    this.#pending.set(id, timer);
  }

  #settle(id: string): void {
    clearTimeout(this.#pending.get(id));
    this.#pending.delete(id);
  }

  /** An answer such as a worker gives when a call throws. */
  #forge(id: string, error: ErrorData): void {
    this.#settle(id);
    const value = { isError: true, value: { ...error, name: "HalonError" } };
    this.#tell({ id, type: "HANDLER", name: "throw", value });
  }

  #tell(data: unknown): void {
    for (const listener of this.#listeners) listenerOf(listener)({ data });
  }

  #die(error: ErrorData): void {
    if (this.#dead !== null) return;
    this.#end(error);
    this.#options.onDeath?.(error);
  }

  #end(error: ErrorData): void {
    this.#dead = error;
    this.#unwatch();
    this.#inner.removeEventListener("message", this.#onMessage);
    for (const id of [...this.#pending.keys()]) this.#forge(id, error);
  }
}

/** `exit` is the end of a worker; its `error`, which comes first, says why. */
function watchDeath(
  port: MessagePort | Worker,
  behind: Worker | undefined,
  died: (error: ErrorData) => void,
): () => void {
  const worker = port instanceof Worker ? port : behind;
  let cause: string | null = null;
  const onError = (error: Error): void => {
    cause = error.message;
  };
  const onExit = (code: number): void =>
    died({
      code: "HAL_FAILED",
      message:
        cause === null ? `The worker exited with code ${code}.` : `The worker failed: ${cause}`,
      details: { exitCode: code },
    });
  // With a worker behind the port, its exit is about to say more than the closing of the port.
  const onClose = (): void => {
    if (worker === undefined) died({ code: "HAL_FAILED", message: "The worker's port closed." });
  };
  worker?.on("error", onError);
  worker?.on("exit", onExit);
  if (!(port instanceof Worker)) port.on("close", onClose);
  return () => {
    worker?.off("exit", onExit);
    worker?.off("error", onError);
    if (!(port instanceof Worker)) port.off("close", onClose);
  };
}

function idOf(data: unknown): string | null {
  if (typeof data !== "object" || data === null || !("id" in data)) return null;
  return typeof data.id === "string" ? data.id : null;
}

let kept = false;

/** Comlink drops all but name, message and stack of an error; this keeps code and details. Once per thread. */
function keepErrorCodes(): void {
  const handler = Comlink.transferHandlers.get("throw");
  if (kept || handler === undefined) return;
  kept = true;
  Comlink.transferHandlers.set("throw", {
    canHandle: handler.canHandle,
    serialize: (thrown: unknown) => {
      const [wire, transfers] = handler.serialize(thrown);
      const error = isThrown(thrown) ? thrown.value : undefined;
      if (!(error instanceof HalonError)) return [wire, transfers];
      return [{ isError: true, value: { ...toErrorData(error), name: error.name } }, transfers];
    },
    deserialize: (wire: unknown): unknown => {
      const data = halonErrorOf(wire);
      if (data !== null) throw fromErrorData(data);
      return handler.deserialize(wire as never);
    },
  });
}

function isThrown(value: unknown): value is { readonly value: unknown } {
  return typeof value === "object" && value !== null && "value" in value;
}

function halonErrorOf(wire: unknown): ErrorData | null {
  if (!isThrown(wire) || typeof wire.value !== "object" || wire.value === null) return null;
  return "name" in wire.value && wire.value.name === "HalonError"
    ? (wire.value as unknown as ErrorData)
    : null;
}
