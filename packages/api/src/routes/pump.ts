import type { StreamingApi } from "hono/utils/stream";

/** How often a stream that has nothing to say shows that it lives. */
const beatMs = 15_000;

export interface PumpOptions<T> {
  readonly stream: StreamingApi;
  readonly closing: AbortSignal;
  readonly entriesMax: number;
  readonly subscribe: (push: (entry: T) => void) => () => void;
  readonly write: (entry: T) => Promise<void>;
  readonly beat?: () => Promise<void>;
}

/**
 * Writes what a subscription pushes until the client leaves or the listener closes.
 *
 * A reader that stays `entriesMax` entries behind is cut; it can resume where it was.
 */
export async function pump<T>(options: PumpOptions<T>): Promise<void> {
  const { stream, closing } = options;
  let queue: T[] = [];
  let isOver = closing.aborted;
  let wake: (() => void) | undefined;
  const end = () => {
    isOver = true;
    wake?.();
  };
  const unsubscribe = options.subscribe((entry) => {
    if (queue.length >= options.entriesMax) return end();
    queue.push(entry);
    wake?.();
  });
  stream.onAbort(end);
  closing.addEventListener("abort", end);
  const beat = setInterval(() => void options.beat?.().catch(end), beatMs);
  try {
    while (!isOver) {
      const batch = queue;
      queue = [];
      for (const entry of batch) {
        if (isOver) return;
        await options.write(entry);
      }
      if (queue.length > 0 || isOver) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    clearInterval(beat);
    closing.removeEventListener("abort", end);
    unsubscribe();
  }
}
