import type { FailureCause } from "@halon/protocol";
import { type Words, wordOf } from "./shared.ts";

/** What is seen of a thread from outside. */
export interface ThreadWatch {
  /** Milliseconds since its event loop last turned, as far as the callers of this function have seen. */
  silentMs(): number;
  memoryMb(): number;
  /** Slot of the service whose code it ran last; 0: none. */
  running(): number;
  /** Slot of the service that has allocated the most of late; 0: none. */
  greediest(): number;
}

/** Looks at the words that the thread writes; `now` is in monotonic ms. */
export function createThreadWatch(shared: Words, now: () => number): ThreadWatch {
  const words = new Int32Array(shared);
  let lastBeat = 0;
  let beatSeenAt = now();
  return {
    silentMs() {
      const beat = Atomics.load(words, wordOf.beat);
      if (beat !== lastBeat) {
        lastBeat = beat;
        beatSeenAt = now();
      }
      return now() - beatSeenAt;
    },
    memoryMb: () => Atomics.load(words, wordOf.memoryKib) / 1_024,
    running: () => Atomics.load(words, wordOf.running),
    greediest: () => Atomics.load(words, wordOf.greediest),
  };
}

/** Why a thread dies of an error. */
export function crashOf(error: unknown): {
  readonly reason: string;
  readonly cause: FailureCause;
} {
  const thrown = error as { code?: unknown } | null;
  if (thrown?.code === "ERR_WORKER_OUT_OF_MEMORY") {
    return { reason: "memory: the heap is over memoryMb", cause: "memory" };
  }
  const text =
    error instanceof Error ? `uncaught ${error.name}: ${error.message}` : "uncaught value";
  return { reason: text.slice(0, 2_000), cause: "exception" };
}
