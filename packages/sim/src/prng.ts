/**
 * A stream of pseudo-random numbers (sfc32), one a purpose.
 *
 * Streams are apart so that one more number drawn for one purpose shifts no other: a scenario stays
 * the same when one of its faults is taken away.
 */
export class Prng {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: number, purpose: string, number = 0) {
    let hash = mix(0x9e3779b9, seed >>> 0);
    hash = mix(hash, Math.floor(seed / 0x100000000));
    for (let i = 0; i < purpose.length; i++) hash = mix(hash, purpose.charCodeAt(i));
    this.a = mix(hash, number);
    this.b = mix(this.a, 0x85ebca6b);
    this.c = mix(this.b, 0xc2b2ae35);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** The next number, from 0 to 2^32 - 1. */
  next(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** A number from 0 to `bound - 1`; 0 when `bound` is 0. */
  below(bound: number): number {
    return Math.floor((this.next() / 0x100000000) * bound);
  }

  /** A number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** True in `perMille` of a thousand draws. */
  chance(perMille: number): boolean {
    return this.below(1000) < perMille;
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.below(from.length)] ?? from[0];
  }
}

/** Adds a number to a 32-bit hash. */
export function mix(hash: number, value: number): number {
  let h = Math.imul(hash ^ (value | 0), 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A 32-bit hash of bytes. */
export function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
  return hash | 0;
}
