import { HalonError } from "@halon/protocol";
import { EventEmitter } from "eventemitter3";
import type { RawData, WebSocket } from "ws";
import type { Hello, LinkClass } from "../core/hello.ts";
import { lookAtPulse, type PulseLimits } from "../core/silence.ts";
import type { Signal } from "../signal.ts";
import { isSignal } from "../signal-shape.ts";
import { type BulkHandler, type BulkOptions, BulkPeer } from "./bulk.ts";
import { decodeFrame, encode, FrameWriter, frameBytesMax } from "./frame.ts";
import { StreamReader, StreamWriter } from "./stream.ts";

/** `silent` comes before the `down` that it leads to. */
export interface LinkEvents {
  silent: [silentMs: number];
  down: [reason: string];
}

/** One connection to another node, after both hellos were accepted. */
export interface Link {
  readonly class: LinkClass;
  readonly peer: Hello;
  readonly events: EventEmitter<LinkEvents>;
  /** Null while it is up. */
  readonly downReason: string | null;
  /** Control only. Errors: HAL_TOO_LARGE, HAL_UNREACHABLE. */
  send(signal: Signal): void;
  /** Who takes what comes in; until it is set, frames wait. */
  receive(handler: (signal: Signal) => void): void;
  /** Bulk only: who answers requests of the peer. */
  serve(handlers: ReadonlyMap<string, BulkHandler>): void;
  /** Bulk only. */
  request(name: string, args: unknown, options?: BulkOptions): AsyncIterable<Uint8Array>;
  /** `raft` and `raft-bulk` only: goes out at the end of the tick. Errors: HAL_TOO_LARGE, HAL_UNREACHABLE. */
  sendBytes(message: Uint8Array): void;
  /** `raft` and `raft-bulk` only; until it is set, frames wait. The bytes may be part of a larger buffer. */
  receiveBytes(handler: (message: Uint8Array) => void): void;
  /** Sends what waits for the end of the tick. */
  flush(): void;
  close(reason: string): void;
}

const pulseLimits: Readonly<Record<LinkClass, PulseLimits>> = {
  control: { lookEveryMs: 125, beatMs: 250, silentMs: 1_500 },
  // A slow line may need long for one bulk frame; that the peer is gone is found out on control.
  bulk: { lookEveryMs: 1_000, beatMs: 1_000, silentMs: 15_000 },
  // Elections look after members that are gone; this only frees what is kept for one that never comes back.
  raft: { lookEveryMs: 250, beatMs: 500, silentMs: 3_000 },
  "raft-bulk": { lookEveryMs: 1_000, beatMs: 1_000, silentMs: 15_000 },
};
const bufferedBytesMax = 64 * 1_048_576;
/** A frame goes out before the end of its tick when it has grown to this. */
const eagerBytes = 262_144;
/** How long a peer may take to answer a close. */
const closeMs = 500;

/** A link over an open WebSocket. The caller has read the hellos and hands over what came after. */
export class WsLink implements Link {
  readonly class: LinkClass;
  readonly peer: Hello;
  readonly events = new EventEmitter<LinkEvents>();
  readonly #ws: WebSocket;
  readonly #writer: FrameWriter;
  readonly #bulk: BulkPeer;
  /** Null but for `raft` and `raft-bulk`. */
  readonly #stream: { readonly writer: StreamWriter; readonly reader: StreamReader } | null;
  readonly #look: NodeJS.Timeout;
  #handler: ((message: unknown) => void) | null = null;
  #waiting: unknown[] = [];
  #flushing = false;
  #lookedAt = performance.now();
  #sentAt = this.#lookedAt;
  #receivedAt = this.#lookedAt;
  #downReason: string | null = null;

  constructor(ws: WebSocket, peer: Hello) {
    this.#ws = ws;
    this.peer = peer;
    this.class = peer.class;
    this.#writer = new FrameWriter(frameBytesMax[this.class]);
    this.#bulk = new BulkPeer(
      peer.node,
      (frame) => this.#postBulk(frame),
      (why) => this.#refuse(1008, why),
    );
    const isStream = this.class === "raft" || this.class === "raft-bulk";
    this.#stream = isStream ? { writer: new StreamWriter(), reader: new StreamReader() } : null;
    if (this.class === "bulk") this.#handler = (message) => this.#bulk.take(message);
    const limits = pulseLimits[this.class];
    this.#look = setInterval(() => this.#lookNow(limits), limits.lookEveryMs);
    ws.on("message", (data, isBinary) => this.#onFrame(data, isBinary));
    ws.on("close", (code, reason) => this.#down(closeText(code, reason.toString())));
    ws.on("error", (error) => this.#onError(error));
  }

  get downReason(): string | null {
    return this.#downReason;
  }

  send(signal: Signal): void {
    this.#needUp("control");
    const encoded = encode(signal);
    if (!this.#writer.add(encoded)) {
      this.flush();
      this.#writer.add(encoded);
    }
    if (this.#writer.bytes >= eagerBytes) this.flush();
    this.#flushLater();
  }

  receive(handler: (signal: Signal) => void): void {
    this.#hand((message) => {
      if (isSignal(message)) handler(message);
      else this.#refuse(1008, "a message has not the shape of a signal");
    });
  }

  sendBytes(message: Uint8Array): void {
    const { writer } = this.#needStream();
    writer.add(message);
    if (writer.bytes >= eagerBytes) this.flush();
    this.#flushLater();
  }

  receiveBytes(handler: (message: Uint8Array) => void): void {
    this.#needStream();
    this.#hand((message) => {
      if (message instanceof Uint8Array) handler(message);
    });
  }

  serve(handlers: ReadonlyMap<string, BulkHandler>): void {
    this.#bulk.serve(handlers);
  }

  request(name: string, args: unknown, options: BulkOptions = {}): AsyncIterable<Uint8Array> {
    this.#needUp("bulk");
    return this.#bulk.request(name, args, options);
  }

  close(reason: string): void {
    if (this.#downReason !== null) return;
    this.flush();
    this.#closeSocket(1000, reason);
    this.#down(reason);
  }

  #hand(handler: (message: unknown) => void): void {
    this.#handler = handler;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const message of waiting) handler(message);
    this.#ws.resume();
  }

  #needStream(): { readonly writer: StreamWriter; readonly reader: StreamReader } {
    this.#needUp(this.class);
    if (this.#stream === null)
      throw new HalonError("HAL_BAD_REQUEST", `Expected a link of bytes, got ${this.class}.`);
    return this.#stream;
  }

  #needUp(linkClass: LinkClass): void {
    if (this.class !== linkClass)
      throw new HalonError("HAL_BAD_REQUEST", `Expected a ${linkClass} link, got ${this.class}.`);
    if (this.#downReason !== null)
      throw new HalonError(
        "HAL_UNREACHABLE",
        `The link to ${this.peer.node} is down: ${this.#downReason}.`,
      );
  }

  #flushLater(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(this.#flushTick);
  }

  readonly #flushTick = (): void => {
    this.#flushing = false;
    this.flush();
  };

  flush(): void {
    const isEmpty = this.#stream === null ? this.#writer.isEmpty : this.#stream.writer.isEmpty;
    if (isEmpty || this.#downReason !== null) return;
    const frames = this.#stream === null ? [this.#writer.take()] : this.#stream.writer.take();
    for (const frame of frames) this.#ws.send(frame);
    this.#sentAt = performance.now();
    if (this.#ws.bufferedAmount > bufferedBytesMax)
      this.#drop(`the peer does not read: ${this.#ws.bufferedAmount} bytes wait to be sent`);
  }

  /** Resolves when the socket took the frame, so that bulk never fills the buffer. */
  #postBulk(frame: unknown): Promise<void> {
    this.#needUp("bulk");
    this.#writer.add(encode(frame));
    this.#sentAt = performance.now();
    return new Promise((resolve, reject) => {
      this.#ws.send(this.#writer.take(), (error) => {
        if (error === undefined || error === null) resolve();
        else reject(new HalonError("HAL_UNREACHABLE", error.message, { cause: error }));
      });
    });
  }

  #onFrame(data: RawData, isBinary: boolean): void {
    this.#receivedAt = performance.now();
    if (this.#downReason !== null) return;
    if (data instanceof Uint8Array && data.length > frameBytesMax[this.class]) {
      this.#refuse(1009, `a frame of ${data.length} bytes`);
      return;
    }
    const messages = isBinary && data instanceof Uint8Array ? this.#decode(data) : null;
    if (messages === null) {
      const what = this.#stream === null ? "is not a MessagePack list" : "begins no message";
      this.#refuse(1008, isBinary ? `a frame ${what}` : "a text frame");
      return;
    }
    for (const message of messages) {
      if (this.#downReason !== null) return;
      if (this.#handler !== null) this.#handler(message);
      else this.#waiting.push(message);
    }
    if (this.#handler === null && this.#waiting.length > 0) this.#ws.pause();
  }

  #decode(frame: Uint8Array): readonly unknown[] | null {
    if (this.#stream === null) return decodeFrame(frame);
    const { buffer, byteOffset, byteLength } = frame;
    return this.#stream.reader.push(Buffer.from(buffer, byteOffset, byteLength));
  }

  #lookNow(limits: PulseLimits): void {
    const now = performance.now();
    const pulse = { lookedAt: this.#lookedAt, sentAt: this.#sentAt, receivedAt: this.#receivedAt };
    const { beat, silentMs, receivedAt } = lookAtPulse(pulse, now, limits);
    this.#lookedAt = now;
    this.#receivedAt = receivedAt;
    if (silentMs !== null && !this.#ws.isPaused) {
      this.events.emit("silent", silentMs);
      this.#drop(`silent for ${Math.round(silentMs)} ms`);
    } else if (beat) {
      this.#ws.send(this.#stream === null ? emptyFrame : noBytes);
      this.#sentAt = now;
    }
  }

  /** `ws` says 1009 to the peer by itself when a frame is too large. */
  #onError(error: Error & { readonly code?: string }): void {
    this.#down(`${error.code ?? "socket"}: ${error.message}`);
    setTimeout(() => this.#ws.terminate(), closeMs).unref();
  }

  #refuse(code: number, why: string): void {
    if (this.#downReason !== null) return;
    this.#closeSocket(code, why);
    this.#down(`the peer sent what it must not: ${why}`);
  }

  /** Of a peer that does not listen, no answer to a close can be waited for. */
  #drop(reason: string): void {
    this.#ws.terminate();
    this.#down(reason);
  }

  #closeSocket(code: number, reason: string): void {
    this.#ws.close(code, reasonBytes(reason));
    setTimeout(() => this.#ws.terminate(), closeMs).unref();
  }

  #down(reason: string): void {
    if (this.#downReason !== null) return;
    this.#downReason = reason;
    clearInterval(this.#look);
    this.#waiting = [];
    this.#bulk.down(reason);
    this.events.emit("down", reason);
  }
}

/** The pulse of a stream: a frame without a byte. */
const noBytes = Buffer.alloc(0);
const emptyFrame = new FrameWriter(frameBytesMax.control).take();

/** The reason of a close frame: at most 123 bytes. */
export function reasonBytes(reason: string): Buffer {
  return Buffer.from(
    Buffer.from(reason)
      .subarray(0, 120)
      .toString()
      .replace(/\uFFFD+$/, ""),
  );
}

/** How a closed socket is told to people. */
export function closeText(code: number, reason: string): string {
  if (code === 1006) return "the connection broke";
  return reason === "" ? `the peer closed with ${code}` : `the peer closed with ${code}: ${reason}`;
}
