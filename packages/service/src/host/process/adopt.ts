import { HalonError } from "@halon/protocol";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";

export interface AdoptOptions {
  /** `<data-dir>/services`; the same one that services were started under. */
  readonly servicesDirectory: string;
  readonly node: string;
  blobPath(hash: string): string;
}

/** What was left behind by an earlier `halond`. */
export type Found =
  /** It runs and is whole: `watch` takes it over; `loaded`, `acquired` and `ready` follow as at a start. */
  | {
      readonly type: "adopted";
      readonly spec: RunnerSpec;
      readonly osPid: number;
      watch(listener: (event: RunnerEvent) => void): Runner;
    }
  /** A record of something that runs no more, or a damaged one; the file is gone, nothing was signalled. */
  | { readonly type: "dropped"; readonly service: string; readonly reason: string }
  /** A process of this data directory that no record speaks of; it is gone now. */
  | {
      readonly type: "ended";
      readonly service: string;
      readonly instance: string;
      readonly osPid: number;
      readonly reason: string;
    }
  /** As `ended`, but the kernel has not let it go within 5 s of SIGKILL: do not start its service. */
  | {
      readonly type: "lingers";
      readonly service: string;
      readonly instance: string;
      readonly osPid: number;
      readonly reason: string;
    };

/**
 * Finds the OS processes that outlived an earlier `halond`. Call it before anything is started.
 *
 * Resolves when everything was reported and every process that is not adopted is gone.
 */
export function adoptProcesses(
  _options: AdoptOptions,
  _onFound: (found: Found) => void,
): Promise<void> {
  return Promise.reject(new HalonError("HAL_NOT_BUILT", "adoption is not built yet"));
}
