/** Whose turns a node's beats tell of. */
export type ProgressPart = "main" | "supervisor" | "coordinator" | "member";

/** Of each part, how often it has turned: 32 bits that wrap; 0 of one that does not run. */
export type ProgressCounters = Readonly<Record<ProgressPart, number>>;

/**
 * Counters in shared memory, one of each part, and the last turn of the beat thread itself.
 *
 * Each part counts its own; the beat thread reads all of them, so what stands still is seen by others.
 */
export type Progress = Int32Array<SharedArrayBuffer>;

const slots: Readonly<Record<ProgressPart | "beats", number>> = {
  main: 0,
  supervisor: 1,
  coordinator: 2,
  member: 3,
  beats: 4,
};

export function createProgress(): Progress {
  const { BYTES_PER_ELEMENT } = Int32Array;
  return new Int32Array(new SharedArrayBuffer(Object.keys(slots).length * BYTES_PER_ELEMENT));
}

/** The part has turned once more. From any thread. */
export function turn(progress: Progress, part: ProgressPart): void {
  Atomics.add(progress, slots[part], 1);
}

export function readProgress(progress: Progress): ProgressCounters {
  const read = (part: ProgressPart): number => Atomics.load(progress, slots[part]) >>> 0;
  return {
    main: read("main"),
    supervisor: read("supervisor"),
    coordinator: read("coordinator"),
    member: read("member"),
  };
}

/** The beat thread has turned; `atMs` as of `nowMs` of `clock.ts`. */
export function markBeats(progress: Progress, atMs: number): void {
  Atomics.store(progress, slots.beats, atMs | 0);
}

/** How long the beat thread has not turned, in ms. */
export function beatsLateMs(progress: Progress, nowMs: number): number {
  return ((nowMs | 0) - Atomics.load(progress, slots.beats)) | 0;
}
