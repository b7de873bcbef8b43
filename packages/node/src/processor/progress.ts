/** Shared memory: beats of the thread, and whose code runs there (its place + 1; 0: none). */
const beatAt = 0;
const runningAt = 1;

export function makeProgress(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
}

/** Written by the processor's thread. */
export class ProgressWriter {
  readonly #cells: Int32Array;
  #places = new Map<string, number>();

  constructor(shared: SharedArrayBuffer) {
    this.#cells = new Int32Array(shared);
  }

  /** The files whose places are written from now on. */
  files(names: readonly string[]): void {
    this.#places = new Map(names.map((name, place) => [name, place + 1]));
  }

  beat(): void {
    Atomics.add(this.#cells, beatAt, 1);
  }

  running(file: string | null): void {
    const place = file === null ? 0 : (this.#places.get(file) ?? 0);
    Atomics.store(this.#cells, runningAt, place);
  }
}

/** Read by the main thread, while the other may be stuck; `names` as the writer was given them. */
export function readProgress(
  shared: SharedArrayBuffer,
  names: readonly string[],
): { readonly beats: number; readonly file: string | null } {
  const cells = new Int32Array(shared);
  const place = Atomics.load(cells, runningAt);
  return { beats: Atomics.load(cells, beatAt), file: names[place - 1] ?? null };
}
