const intervalsMax = 100;
/** With fewer intervals than this the deviation is not believed. */
const intervalsMin = 10;
const deviationMinMs = 50;
/** What is taken for granted of a node that was heard too little. */
const assumed = { meanMs: 100, deviationMs: 150 } as const;

/** The last 100 intervals between beats, in ms. */
export class Intervals {
  readonly #ms: number[] = [];
  #next = 0;
  #sum = 0;
  #squares = 0;

  add(ms: number): void {
    const old = this.#ms[this.#next] ?? 0;
    this.#ms[this.#next] = ms;
    this.#next = (this.#next + 1) % intervalsMax;
    this.#sum += ms - old;
    this.#squares += ms * ms - old * old;
  }

  clear(): void {
    this.#ms.length = 0;
    this.#next = 0;
    this.#sum = 0;
    this.#squares = 0;
  }

  /** The deviation is at least 50 ms; 150 ms around 100 while there are fewer than ten. */
  get spread(): { readonly meanMs: number; readonly deviationMs: number } {
    const count = this.#ms.length;
    if (count < intervalsMin) return assumed;
    const meanMs = this.#sum / count;
    const variance = Math.max(0, this.#squares / count - meanMs * meanMs);
    return { meanMs, deviationMs: Math.max(deviationMinMs, Math.sqrt(variance)) };
  }
}

/**
 * How unlikely a silence is of a node that lives: 1 is one in ten, 8 one in a hundred million.
 *
 * Source: Hayashibara et al., "The φ Accrual Failure Detector" (2004). The tail of the normal distribution is that
 * of Pollak's bound (1956), which is exact at 0 and 2 % too large far out, and does not underflow.
 */
export function phi(
  silentMs: number,
  spread: { readonly meanMs: number; readonly deviationMs: number },
): number {
  const z = (silentMs - spread.meanMs) / spread.deviationMs;
  return z >= 0 ? -log10Tail(z) : -Math.log10(1 - 10 ** log10Tail(-z));
}

/** log10 of the chance of more than `z` deviations above the mean; `z` is not negative. */
function log10Tail(z: number): number {
  const density = -(z * z) / 2 - Math.log(Math.sqrt(2 * Math.PI));
  const mills = Math.log(2 / (z + Math.sqrt(z * z + 8 / Math.PI)));
  return (density + mills) / Math.LN10;
}
