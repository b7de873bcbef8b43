import type { MessagePort } from "node:worker_threads";
import { fromErrorData, HalonError, toErrorData } from "@halon/protocol";
import type { HostAppended, HostLogStatus, HostSlot } from "../host-log.ts";
import { type Answer, type FromMember, ownBytes, type ToMember } from "./wire.ts";

type AnswerOf<Type extends Answer["type"]> = Extract<Answer, { readonly type: Type }>;

/**
 * A member's host log, seen from another thread.
 *
 * All promises reject with HAL_STORE_FAILED when the port closes; until then they wait for the log's answer alone.
 */
export interface HostLogClient {
  /** As of the last message. */
  readonly status: HostLogStatus;
  /** Called after any change of `status`. The answer ends it. */
  onStatus(listener: (status: HostLogStatus) => void): () => void;
  /** Called after slots were committed, or others took the place of what was here. The answer ends it. */
  onCommit(listener: () => void): () => void;
  /** Called once, when the port has closed. The answer ends it. */
  onEnd(listener: () => void): () => void;
  /** Resolves with the epoch when the member leads in a term that no earlier client owned; may take for ever. */
  lead(): Promise<number>;
  /** As of `HostLog`, for one slot at a time. `data` must not change any more. */
  append(
    data: Uint8Array,
    at: { readonly position: number; readonly epoch: number },
  ): Promise<HostAppended>;
  /** As of `HostLog`. */
  confirm(epoch: number): Promise<boolean>;
  /** Committed slots from `from` on; none when `from` is not held. */
  read(from: number): Promise<readonly HostSlot[]>;
  saveSnapshot(position: number, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  loadSnapshot(): Promise<
    { readonly position: number; readonly chunks: AsyncIterable<Uint8Array> } | undefined
  >;
  close(): void;
}

/** The types of Node 20 leave this out: whether the port keeps its thread alive, as one with a listener does. */
type ListeningPort = MessagePort & { hasRef(): boolean };

/** Resolves with the first word of the member at the other end. Errors: HAL_STORE_FAILED when the port closes. */
export function connectHostLog(port: MessagePort): Promise<HostLogClient> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(ended());
    const first = (message: FromMember): void => {
      if (message.type !== "status") return;
      port.off("close", closed);
      resolve(new PortClient(port, message.status));
      // Last: a port without a listener stops.
      port.off("message", first);
    };
    port.on("close", closed);
    port.on("message", first);
    // A port that was closed on its way to this thread says nothing of it, and holds no listener.
    if (!(port as ListeningPort).hasRef()) closed();
  });
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

class PortClient implements HostLogClient {
  readonly #port: MessagePort;
  #status: HostLogStatus;
  #lastRef = 0;
  readonly #waiting = new Map<number, Waiting>();
  /** Sources of the snapshots that are being saved. */
  readonly #saves = new Map<number, AsyncIterator<Uint8Array>>();
  readonly #statusListeners = new Set<(status: HostLogStatus) => void>();
  readonly #commitListeners = new Set<() => void>();
  readonly #endListeners = new Set<() => void>();
  /** The owner reads what it has appended: no need to have it sent back. */
  #lastAppended: HostSlot | undefined;
  #isEnded = false;

  constructor(port: MessagePort, status: HostLogStatus) {
    this.#port = port;
    this.#status = status;
    port.on("message", (message: FromMember) => this.#receive(message));
    port.on("close", () => this.#end());
    this.#tell({ type: "seen" });
  }

  get status(): HostLogStatus {
    return this.#status;
  }

  onStatus(listener: (status: HostLogStatus) => void): () => void {
    return add(this.#statusListeners, listener);
  }

  onCommit(listener: () => void): () => void {
    return add(this.#commitListeners, listener);
  }

  onEnd(listener: () => void): () => void {
    return add(this.#endListeners, listener);
  }

  async lead(): Promise<number> {
    return (await this.#ask<"leads">((ref) => ({ type: "lead", ref }))).epoch;
  }

  async append(
    data: Uint8Array,
    at: { readonly position: number; readonly epoch: number },
  ): Promise<HostAppended> {
    const { position, epoch } = at;
    const own = ownBytes(data);
    const answer = this.#ask<"appended">(
      (ref) => ({ type: "append", ref, data: own, position, epoch }),
      [own.buffer],
      // Before the listeners hear of it.
      ({ appended }) => {
        if (appended.type === "committed") this.#lastAppended = { position, epoch, data };
      },
    );
    return (await answer).appended;
  }

  async confirm(epoch: number): Promise<boolean> {
    return (await this.#ask<"confirmed">((ref) => ({ type: "confirm", ref, epoch }))).leads;
  }

  async read(from: number): Promise<readonly HostSlot[]> {
    if (this.#lastAppended?.position === from && !this.#isEnded) return [this.#lastAppended];
    const { slots, data } = await this.#ask<"slots">((ref) => ({ type: "read", ref, from }));
    let offset = 0;
    return slots.map(({ position, epoch, bytes }) => {
      offset += bytes;
      // A copy each: whoever keeps one must not keep the page.
      return { position, epoch, data: data.slice(offset - bytes, offset) };
    });
  }

  async saveSnapshot(position: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const source = chunks[Symbol.asyncIterator]();
    let ref = 0;
    try {
      await this.#ask<"saved">((given) => {
        ref = given;
        this.#saves.set(ref, source);
        return { type: "save", ref, position };
      });
    } finally {
      this.#saves.delete(ref);
      // What it could still say is of no use: the outcome is known.
      source.return?.().catch(() => undefined);
    }
  }

  async loadSnapshot(): Promise<
    { readonly position: number; readonly chunks: AsyncIterable<Uint8Array> } | undefined
  > {
    let load = 0;
    const { position } = await this.#ask<"loaded">((ref) => {
      load = ref;
      return { type: "load", ref };
    });
    return position === null ? undefined : { position, chunks: this.#chunks(load) };
  }

  close(): void {
    this.#port.close();
    this.#end();
  }

  async *#chunks(load: number): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const { data } = await this.#ask<"nextIs">((ref) => ({ type: "next", ref, load }));
        if (data === null) return;
        yield data;
      }
    } finally {
      this.#tell({ type: "release", load });
    }
  }

  #tell(message: ToMember, transfer: readonly ArrayBuffer[] = []): void {
    if (!this.#isEnded) this.#port.postMessage(message, [...transfer]);
  }

  #ask<Type extends Answer["type"]>(
    question: (ref: number) => ToMember,
    transfer: readonly ArrayBuffer[] = [],
    onAnswer: (answer: AnswerOf<Type>) => void = () => undefined,
  ): Promise<AnswerOf<Type>> {
    if (this.#isEnded) return Promise.reject(ended());
    this.#lastRef += 1;
    const ref = this.#lastRef;
    return new Promise((resolve, reject) => {
      const take = (answer: Answer): void => {
        onAnswer(answer as AnswerOf<Type>);
        resolve(answer as AnswerOf<Type>);
      };
      this.#waiting.set(ref, { resolve: take, reject });
      this.#tell(question(ref), transfer);
    });
  }

  #receive(message: FromMember): void {
    switch (message.type) {
      case "status":
        this.#tell({ type: "seen" });
        this.#take(message.status);
        return;
      case "answer": {
        const waiting = this.#waiting.get(message.ref);
        this.#waiting.delete(message.ref);
        const { answer } = message;
        if (answer.type === "failed") waiting?.reject(fromErrorData(answer.error));
        else waiting?.resolve(answer);
        this.#take(message.status);
        return;
      }
      case "want":
        void this.#giveChunk(message.ref);
        return;
    }
  }

  #take(status: HostLogStatus): void {
    const before = this.#status;
    this.#status = status;
    const { lastPosition, installs, firstPosition, owner, leading } = status;
    const isMoved = installs !== before.installs;
    const isOther =
      isMoved ||
      firstPosition !== before.firstPosition ||
      owner !== before.owner ||
      leading?.epoch !== before.leading?.epoch;
    if (isOther) for (const listener of [...this.#statusListeners]) listener(status);
    if (isMoved || lastPosition > before.lastPosition) {
      for (const listener of [...this.#commitListeners]) listener();
    }
  }

  async #giveChunk(ref: number): Promise<void> {
    const source = this.#saves.get(ref);
    if (source === undefined) return;
    try {
      const { done, value } = await source.next();
      if (done === true) return this.#tell({ type: "chunk", ref, data: null });
      const data = ownBytes(value);
      this.#tell({ type: "chunk", ref, data }, [data.buffer]);
    } catch (error) {
      // The source's own error, which would lose its class on its way through the other thread.
      this.#waiting.get(ref)?.reject(error);
      this.#waiting.delete(ref);
      this.#tell({ type: "cut", ref, error: toErrorData(error) });
    }
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const { reject } of this.#waiting.values()) reject(ended());
    this.#waiting.clear();
    for (const listener of this.#endListeners) listener();
  }
}

function add<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function ended(): HalonError {
  return new HalonError(
    "HAL_STORE_FAILED",
    "The member of the agency in this process has ended; it is started again. What was under way may have been stored.",
  );
}
