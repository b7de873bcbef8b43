/** Something with messages to work through. */
export interface Runnable {
  queued: boolean;
}

/** Messages of one process in a row, before the next process has its turn. */
const turnMessages = 200;
/** Messages and time before timers and sockets have theirs. */
const sliceMessages = 2_000;
const sliceMs = 8;

/**
 * Runs processes that have messages, in batches: the first by microtask, so that a message costs no trip through the
 * event loop; after a slice the rest waits for the loop, so that nobody starves sockets and timers.
 */
export class Scheduler<T extends Runnable> {
  readonly #run: (process: T, messages: number) => number;
  #ready: T[] = [];
  #next = 0;
  #armed = false;
  #left = sliceMessages;

  constructor(run: (process: T, messages: number) => number) {
    this.#run = run;
  }

  add(process: T): void {
    if (process.queued) return;
    process.queued = true;
    this.#ready.push(process);
    if (this.#armed) return;
    this.#armed = true;
    if (this.#left > 0) queueMicrotask(this.#drain);
    else setImmediate(this.#nextSlice);
  }

  readonly #nextSlice = (): void => {
    this.#left = sliceMessages;
    this.#drain();
  };

  readonly #drain = (): void => {
    const startedAt = performance.now();
    for (let turns = 1; this.#next < this.#ready.length; turns++) {
      const process = this.#ready[this.#next++];
      if (process === undefined) break;
      process.queued = false;
      this.#left -= this.#run(process, turnMessages);
      if (this.#left <= 0 || ((turns & 7) === 0 && performance.now() - startedAt > sliceMs)) {
        this.#left = 0;
        this.#forget();
        setImmediate(this.#nextSlice);
        return;
      }
    }
    this.#forget();
    this.#armed = false;
  };

  /** Drops what has run; a long queue is cut rarely, a finished one always. */
  #forget(): void {
    if (this.#next === this.#ready.length) this.#ready.length = 0;
    else if (this.#next > 1_024) this.#ready = this.#ready.slice(this.#next);
    else return;
    this.#next = 0;
  }
}
