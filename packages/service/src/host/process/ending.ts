import type { RunnerSpec } from "../runner.ts";
import { endEscaped } from "./escaped.ts";
import { endGroup, type GroupEnd, signalGroup } from "./group.ts";
import { type ProcessId, ticksNow } from "./proc.ts";
import type { ProcessManifest } from "./record.ts";
import { prepareStop } from "./stopping.ts";

/** How long after the end of a process what it left in other groups is looked for. */
const escapedAfterMs = 200;

/** The end of one process, of its group, and of what it left elsewhere. */
export interface Ending {
  /** In order: the stop command, the stop signal. The caller has the deadline. */
  requestStop(): void;
  /** It has been asked to stop in another way. */
  wasAsked(): void;
  /** By force, at once; also what is left of a group whose leader is gone. */
  kill(): void;
  /** The leader is gone; `onGone` is called once, when nothing of it runs any more: at once where that is so now. */
  leaderExited(onGone: () => void): void;
  /** Lets go; what lives lives on. */
  cancel(): void;
}

export interface EndingOptions {
  readonly spec: RunnerSpec;
  readonly process: Pick<ProcessManifest, "env" | "stopCommand" | "stopSignal">;
  readonly leader: ProcessId;
  /** The services directory that its mark names. */
  readonly home: string;
}

export function prepareEnd({ spec, process, leader, home }: EndingOptions): Ending {
  const stopping = prepareStop({ spec, process, leader });
  const left = { home, instance: spec.instance };
  let groupEnd: GroupEnd | undefined;
  let isAsked = false;
  let sweep: { cancel(): void } | undefined;

  function groupGone(onGone: () => void): void {
    // A process that ended by itself is to be back soon; what it left elsewhere is looked for after that.
    if (isAsked) {
      sweep = endEscaped(left, onGone);
      return;
    }
    const bornBefore = ticksNow();
    setTimeout(() => endEscaped({ ...left, bornBefore }, () => undefined), escapedAfterMs).unref();
    onGone();
  }

  return {
    requestStop() {
      if (groupEnd !== undefined) return;
      isAsked = true;
      stopping.begin();
    },
    wasAsked() {
      isAsked = true;
    },
    kill() {
      stopping.kill();
      if (groupEnd !== undefined) {
        groupEnd.kill();
        return;
      }
      isAsked = true;
      signalGroup(leader, "SIGKILL");
    },
    leaderExited(onGone) {
      stopping.processEnded();
      groupEnd = endGroup(leader, () => stopping.whenQuiet(() => groupGone(onGone)));
    },
    cancel() {
      groupEnd?.cancel();
      stopping.cancel();
      sweep?.cancel();
    },
  };
}
