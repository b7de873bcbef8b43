// A view of the bytes of each message would cost more than all that is written or read through it.
const real = new DataView(new ArrayBuffer(8));

/** Writes into bytes of a known length; the caller asks for no more than there is room. */
export class Writer {
  readonly bytes: Uint8Array;
  #at = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
  }

  byte(value: number): void {
    this.bytes[this.#at] = value;
    this.#at += 1;
  }

  flag(value: boolean): void {
    this.byte(value ? 1 : 0);
  }

  length(value: number): void {
    const { bytes } = this;
    const at = this.#at;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.#at = at + 4;
  }

  /** An integer from 0 to 2^53 - 1. */
  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`expected an integer from 0 to 2^53 - 1, got ${value}`);
    }
    this.length(Math.floor(value / 2 ** 32));
    this.length(value >>> 0);
  }

  real(value: number): void {
    real.setFloat64(0, value);
    this.length(real.getUint32(0));
    this.length(real.getUint32(4));
  }

  /** ASCII, its length in one byte before it. */
  text(value: string): void {
    this.byte(value.length);
    for (let at = 0; at < value.length; at += 1) this.byte(value.charCodeAt(at));
  }

  /** Bytes, their length in four bytes before them. */
  data(value: Uint8Array): void {
    this.length(value.length);
    this.bytes.set(value, this.#at);
    this.#at += value.length;
  }
}

/**
 * Reads bytes that may hold anything.
 *
 * What does not fit makes `ok` false for good and yields zeros, so that the caller looks once, at the end.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #ok = true;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get ok(): boolean {
    return this.#ok;
  }

  /** All was right, and all was read. */
  get isWhole(): boolean {
    return this.#ok && this.#at === this.#bytes.length;
  }

  fail(): void {
    this.#ok = false;
  }

  /** Room for `count` more bytes; the place where they begin. */
  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) {
      this.#ok = false;
      return -1;
    }
    this.#at = at + count;
    return at;
  }

  #byteAt(at: number): number {
    return this.#bytes[at] ?? 0;
  }

  #lengthAt(at: number): number {
    const high = (this.#byteAt(at) << 24) | (this.#byteAt(at + 1) << 16);
    return (high | (this.#byteAt(at + 2) << 8) | this.#byteAt(at + 3)) >>> 0;
  }

  byte(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : this.#byteAt(at);
  }

  flag(): boolean {
    const value = this.byte();
    if (value > 1) this.#ok = false;
    return value === 1;
  }

  length(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#lengthAt(at);
  }

  number(): number {
    const at = this.#take(8);
    if (at < 0) return 0;
    const high = this.#lengthAt(at);
    if (high >= 2 ** 21) this.#ok = false;
    return high * 2 ** 32 + this.#lengthAt(at + 4);
  }

  real(): number {
    const at = this.#take(8);
    if (at < 0) return 0;
    real.setUint32(0, this.#lengthAt(at));
    real.setUint32(4, this.#lengthAt(at + 4));
    return real.getFloat64(0);
  }

  text(): string {
    const length = this.byte();
    const from = this.#take(length);
    if (from < 0 || length === 0) {
      this.#ok = false;
      return "";
    }
    let text = "";
    for (let at = from; at < from + length; at += 1) {
      const code = this.#byteAt(at);
      if (code < 0x21 || code > 0x7e) this.#ok = false;
      text += String.fromCharCode(code);
    }
    return text;
  }

  /** A view, not a copy. */
  data(): Uint8Array {
    const length = this.length();
    const at = this.#take(length);
    return at < 0 ? this.#bytes.subarray(0, 0) : this.#bytes.subarray(at, at + length);
  }
}
