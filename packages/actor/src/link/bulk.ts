import {
  type ErrorData,
  errorCodes,
  fromErrorData,
  HalonError,
  toErrorData,
} from "@halon/protocol";
import { Inbox } from "./inbox.ts";

/** What the handler of a bulk request is told. */
export interface BulkMeta {
  readonly node: string;
  /** Aborted when the asker cancelled, fell silent or its link went down. */
  readonly signal: AbortSignal;
}

/** Answers a bulk request; chunks larger than 1 MiB are split, and the next is asked for when there is room. */
export type BulkHandler = (args: unknown, meta: BulkMeta) => AsyncIterable<Uint8Array>;

/** `idleMs`: the longest wait for one chunk; default 10 s. */
export interface BulkOptions {
  readonly idleMs?: number;
}

/** Frames of a bulk link. The asker numbers its requests; who sends what tells whose number it is. */
type BulkFrame =
  | { readonly type: "request"; readonly id: number; readonly name: string; readonly args: unknown }
  | { readonly type: "ack"; readonly id: number }
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "chunk"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: "end"; readonly id: number }
  | { readonly type: "failed"; readonly id: number; readonly error: ErrorData };

type Item =
  | { readonly type: "chunk"; readonly bytes: Uint8Array }
  | { readonly type: "end" }
  | { readonly type: "failed"; readonly error: ErrorData };

interface Serving {
  readonly abort: AbortController;
  /** One entry per acknowledged chunk. */
  readonly acks: Inbox<true>;
}

const chunkBytesMax = 1_048_576;
/** Chunks on their way, per request, so that a round trip does not cost throughput. */
const window = 4;
const servedMax = 64;
const idleMsDefault = 10_000;

/** Both halves of a bulk link: what this node asks, and what it answers. */
export class BulkPeer {
  readonly #node: string;
  readonly #post: (frame: BulkFrame) => Promise<void>;
  readonly #violated: (why: string) => void;
  readonly #asked = new Map<number, Inbox<Item>>();
  readonly #served = new Map<number, Serving>();
  #handlers: ReadonlyMap<string, BulkHandler> = new Map();
  #count = 0;

  constructor(
    node: string,
    post: (frame: BulkFrame) => Promise<void>,
    violated: (why: string) => void,
  ) {
    this.#node = node;
    this.#post = post;
    this.#violated = violated;
  }

  serve(handlers: ReadonlyMap<string, BulkHandler>): void {
    this.#handlers = handlers;
  }

  /** Errors, when read: the handler's, HAL_TIMEOUT, HAL_UNREACHABLE. */
  async *request(name: string, args: unknown, options: BulkOptions): AsyncGenerator<Uint8Array> {
    const idleMs = options.idleMs ?? idleMsDefault;
    this.#count += 1;
    const id = this.#count;
    const inbox = new Inbox<Item>();
    this.#asked.set(id, inbox);
    try {
      await this.#post({ type: "request", id, name, args });
      for (;;) {
        const item = await inbox.take(idleMs);
        if (item === null) throw lateError(name, this.#node, idleMs);
        if (item.type === "end") return;
        if (item.type === "failed") throw fromErrorData(item.error);
        yield item.bytes;
        this.#postQuietly({ type: "ack", id });
      }
    } finally {
      // Whoever stops reading early, or waits no longer, says so; after an end it is no news.
      if (this.#asked.delete(id)) this.#postQuietly({ type: "cancel", id });
    }
  }

  take(value: unknown): void {
    const frame = parseFrame(value);
    if (frame === null) {
      this.#violated("a message has not the shape of a bulk frame");
      return;
    }
    switch (frame.type) {
      case "request":
        this.#accept(frame.id, frame.name, frame.args);
        return;
      case "ack":
        this.#acknowledge(frame.id);
        return;
      case "cancel":
        this.#stop(frame.id);
        return;
      case "chunk":
      case "end":
      case "failed":
        this.#takeItem(frame.id, frame);
    }
  }

  down(reason: string): void {
    const error: ErrorData = {
      code: "HAL_UNREACHABLE",
      message: `The bulk link to ${this.#node} is down: ${reason}.`,
    };
    for (const inbox of this.#asked.values()) inbox.push({ type: "failed", error });
    this.#asked.clear();
    for (const id of [...this.#served.keys()]) this.#stop(id);
  }

  #acknowledge(id: number): void {
    const acks = this.#served.get(id)?.acks;
    if (acks === undefined) return;
    if (acks.count >= window) this.#violated("more acknowledgements than chunks");
    else acks.push(true);
  }

  #takeItem(id: number, item: Item): void {
    const inbox = this.#asked.get(id);
    if (inbox === undefined) return;
    if (item.type === "chunk" && inbox.count >= window) {
      this.#violated("more chunks than were asked for");
      return;
    }
    if (item.type !== "chunk") this.#asked.delete(id);
    inbox.push(item);
  }

  #stop(id: number): void {
    const serving = this.#served.get(id);
    if (serving === undefined) return;
    this.#served.delete(id);
    serving.abort.abort();
    serving.acks.close();
  }

  #accept(id: number, name: string, args: unknown): void {
    const handler = this.#handlers.get(name);
    if (this.#served.has(id)) {
      this.#violated(`request ${id} is under way already`);
    } else if (handler === undefined) {
      this.#fail(id, new HalonError("HAL_NOT_FOUND", `Nobody serves "${name}" here.`));
    } else if (this.#served.size >= servedMax) {
      this.#fail(
        id,
        new HalonError("HAL_TOO_MANY", `${servedMax} bulk requests are served; try again.`),
      );
    } else {
      const serving: Serving = { abort: new AbortController(), acks: new Inbox() };
      this.#served.set(id, serving);
      void this.#answer(id, serving, () =>
        handler(args, { node: this.#node, signal: serving.abort.signal }),
      );
    }
  }

  async #answer(
    id: number,
    serving: Serving,
    open: () => AsyncIterable<Uint8Array>,
  ): Promise<void> {
    let onWay = 0;
    try {
      for await (const bytes of open()) {
        for (let at = 0; at < bytes.length; at += chunkBytesMax) {
          if (onWay === window) {
            if ((await serving.acks.take(idleMsDefault)) === null) return;
            onWay -= 1;
          }
          if (serving.abort.signal.aborted) return;
          await this.#post({ type: "chunk", id, bytes: bytes.subarray(at, at + chunkBytesMax) });
          onWay += 1;
        }
        if (serving.abort.signal.aborted) return;
      }
      await this.#post({ type: "end", id });
    } catch (error) {
      if (!serving.abort.signal.aborted) this.#fail(id, error);
    } finally {
      this.#stop(id);
    }
  }

  #fail(id: number, error: unknown): void {
    const { code, message } = toErrorData(error);
    this.#postQuietly({ type: "failed", id, error: { code, message } });
  }

  /** What cannot be told because the link is down is told by its end. */
  #postQuietly(frame: BulkFrame): void {
    const ignore = (): undefined => undefined;
    try {
      this.#post(frame).catch(ignore);
    } catch (error) {
      if (!(error instanceof HalonError)) throw error;
    }
  }
}

function lateError(name: string, node: string, idleMs: number): HalonError {
  return new HalonError("HAL_TIMEOUT", `${node} sent nothing of "${name}" for ${idleMs} ms.`);
}

function parseFrame(value: unknown): BulkFrame | null {
  if (typeof value !== "object" || value === null) return null;
  const frame = value as Readonly<Record<string, unknown>>;
  if (!Number.isSafeInteger(frame["id"])) return null;
  const type = String(frame["type"]);
  const fits = Object.hasOwn(shapes, type) ? shapes[type] : undefined;
  return fits?.(frame) === true ? (value as BulkFrame) : null;
}

const shapes: Readonly<Record<string, (frame: Readonly<Record<string, unknown>>) => boolean>> = {
  request: (frame) => typeof frame["name"] === "string",
  ack: () => true,
  cancel: () => true,
  chunk: ({ bytes }) => bytes instanceof Uint8Array && bytes.length <= chunkBytesMax,
  end: () => true,
  failed: ({ error }) =>
    typeof error === "object" &&
    error !== null &&
    "message" in error &&
    typeof error.message === "string" &&
    "code" in error &&
    typeof error.code === "string" &&
    Object.hasOwn(errorCodes, error.code),
};
