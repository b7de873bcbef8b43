import type { Meta } from "./behaviour.ts";
import type { Pid } from "./pid.ts";

/** Who waits for an answer: nobody, a call of this system by its number, or one of another system. */
export type ReplyTo = null | number | Pid;

/** One message as it waits. */
export interface Envelope {
  readonly message: unknown;
  readonly meta: Meta;
  readonly reply: ReplyTo;
}

const sizeAtStart = 16;

/** Bounded queue of a process: a ring that grows by doubling, so that neither end ever copies per message. */
export class Mailbox {
  readonly max: number;
  #ring: (Envelope | undefined)[] = new Array(sizeAtStart);
  #head = 0;
  #count = 0;
  /** Signals come on top of the bound: there are at most as many as links and monitors, and none may be lost. */
  #signals = 0;

  constructor(max: number) {
    this.max = max;
  }

  get count(): number {
    return this.#count;
  }

  /** False when it is full: nothing was taken. */
  push(envelope: Envelope): boolean {
    if (envelope.meta.type === "signal") this.#signals += 1;
    else if (this.#count - this.#signals >= this.max) return false;
    if (this.#count === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#count) & (this.#ring.length - 1)] = envelope;
    this.#count += 1;
    return true;
  }

  /** The oldest, or undefined. */
  take(): Envelope | undefined {
    if (this.#count === 0) return undefined;
    const envelope = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#count -= 1;
    if (envelope?.meta.type === "signal") this.#signals -= 1;
    return envelope;
  }

  #grow(): void {
    const length = this.#ring.length;
    const ring = new Array<Envelope | undefined>(length * 2);
    for (let at = 0; at < length; at++) ring[at] = this.#ring[(this.#head + at) & (length - 1)];
    this.#ring = ring;
    this.#head = 0;
  }
}
