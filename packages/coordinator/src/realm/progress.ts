/** Name of the rules that are Halon's own: they are not suspected. */
const builtIn = "builtin";

/** Shared memory: how often the thread's event loop has turned, and whose code runs (position + 1; 0: none). */
const beatAt = 0;
const runningAt = 1;

export function makeProgress(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
}

/** Written by the thread that runs code of rule files. */
export class ProgressWriter {
  readonly #cells: Int32Array;
  #positions = new Map<string, number>();

  constructor(shared: SharedArrayBuffer) {
    this.#cells = new Int32Array(shared);
  }

  /** The files whose positions are written from now on. */
  files(names: readonly string[]): void {
    this.#positions = new Map(names.map((name, position) => [name, position + 1]));
  }

  beat(): void {
    Atomics.add(this.#cells, beatAt, 1);
  }

  running(file: string | null): void {
    if (file === builtIn) return;
    Atomics.store(this.#cells, runningAt, file === null ? 0 : (this.#positions.get(file) ?? 0));
  }
}

export interface ProgressView {
  readonly beats: number;
  /** The file whose code runs, or null. */
  readonly file: string | null;
}

/** Read by the main thread, while the other may be stuck. */
export function readProgress(shared: SharedArrayBuffer, names: readonly string[]): ProgressView {
  const cells = new Int32Array(shared);
  const position = Atomics.load(cells, runningAt);
  return { beats: Atomics.load(cells, beatAt), file: names[position - 1] ?? null };
}
