import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { readLines, writeLine } from "../lines.ts";
import type { ServicePort } from "../worker/port.ts";

/** The largest message, as JSON. */
const messageCharsMax = 16_777_216;
/** What waits for a peer that does not read. */
const waitingBytesMax = 33_554_432;

/** One end of the way between a service and its host, over a socket. */
export class SocketPort implements ServicePort {
  readonly #events = new EventEmitter();
  /** What was sent before there was a socket. */
  #early: unknown[] = [];
  #socket: Socket | undefined;
  #isClosed = false;

  /** Goes on over this socket: what waits is sent. Call it once. */
  attach(socket: Socket): void {
    this.#socket = socket;
    readLines(socket, messageCharsMax, (message) => this.#events.emit("message", message));
    for (const message of this.#early) writeLine(socket, message);
    this.#early = [];
  }

  postMessage(message: unknown): void {
    if (this.#isClosed) return;
    if (this.#socket === undefined) this.#early.push(message);
    else if (this.#socket.writableLength > waitingBytesMax) this.#socket.destroy();
    else writeLine(this.#socket, message);
  }

  on(event: "message", listener: (message: unknown) => void): void {
    this.#events.on(event, listener);
  }

  off(event: "message", listener: (message: unknown) => void): void {
    this.#events.off(event, listener);
  }

  close(): void {
    this.#isClosed = true;
    this.#early = [];
    this.#socket?.destroy();
  }
}
