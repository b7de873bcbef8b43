import type { Worker } from "node:worker_threads";
import { HalonError } from "@halon/protocol";
import { judgePulse, type Pulse } from "./core/index.ts";
import { readProgress } from "./realm/progress.ts";

const lookEveryMs = 100;

/** A rule file that made the coordinator hang; in the details of the error that tells of it. */
export interface Suspect {
  readonly blob: string;
  readonly reason: string;
}

export interface ThreadWatch {
  close(): void;
  /** What the thread's end by this error means: code of a rule file that ran then has caused it, such as by using up the memory. */
  crashed(error: Error): HalonError;
}

/** Looks at the coordinator's thread from outside, and ends it when it hangs. */
export function watchThread(options: {
  readonly worker: Worker;
  readonly progress: SharedArrayBuffer;
  files(): readonly { readonly name: string; readonly blob: string }[];
  hung(error: HalonError): void;
}): ThreadWatch {
  const look = () => {
    const files = options.files();
    const names = files.map(({ name }) => name);
    const seen = readProgress(options.progress, names);
    return { ...seen, blobOf: (name: string) => files.find((file) => file.name === name)?.blob };
  };
  let pulse: Pulse = { beats: -1, file: null, since: performance.now() };
  const timer = setInterval(() => {
    const { blobOf, ...seen } = look();
    const verdict = judgePulse(pulse, seen, performance.now());
    if (verdict.type === "alive") {
      pulse = verdict.pulse;
      return;
    }
    clearInterval(timer);
    const blob = verdict.file === null ? undefined : blobOf(verdict.file);
    options.hung(hangError(verdict.file, blob, verdict.silentMs));
    void options.worker.terminate();
  }, lookEveryMs);
  timer.unref();
  return {
    close: () => clearInterval(timer),
    crashed(error) {
      const { file, blobOf } = look();
      return crashError(error, file, file === null ? undefined : blobOf(file));
    },
  };
}

function crashError(error: Error, file: string | null, blob: string | undefined): HalonError {
  if (file === null || blob === undefined) {
    return new HalonError("HAL_INTERNAL", `The coordinator crashed: ${error.message}`, {
      cause: error,
    });
  }
  const reason = `its code ended the coordinator (${error.message}), which was started without it`;
  return new HalonError("HAL_FAILED", `Rule file ${file}: ${reason}.`, {
    cause: error,
    details: { suspect: { blob, reason } satisfies Suspect },
  });
}

function hangError(file: string | null, blob: string | undefined, silentMs: number): HalonError {
  const silent = `for ${Math.round(silentMs)} ms`;
  if (file === null || blob === undefined) {
    return new HalonError(
      "HAL_INTERNAL",
      `The coordinator's thread has not moved ${silent}; it was ended.`,
    );
  }
  const reason = `its code ran ${silent} without an end; the coordinator was ended and started without it`;
  return new HalonError("HAL_FAILED", `Rule file ${file}: ${reason}.`, {
    details: { suspect: { blob, reason } satisfies Suspect },
  });
}
