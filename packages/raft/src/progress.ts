import { copyProgress } from "./copy.ts";
import type { Progress } from "./state.ts";

/** What a new leader, or one that has just added a member, assumes of it (Raft figure 2). */
export function newProgress(nextIndex: number, now: number): Progress {
  return {
    matchIndex: 0,
    nextIndex,
    mode: "probe",
    inflight: [],
    snapshot: null,
    snapshotOffset: 0,
    snapshotRound: 0,
    round: 0,
    ackTick: now,
    appendTick: now,
    guestUntil: null,
  };
}

/** Back to one append at a time, from what is known to agree. */
export function probing(progress: Progress): Progress {
  const next = copyProgress(progress);
  next.mode = "probe";
  next.nextIndex = progress.matchIndex + 1;
  next.inflight = [];
  next.snapshot = null;
  return next;
}

/** After an acknowledgement up to `matchIndex`; a late one of a lower index changes nothing. */
export function acknowledged(progress: Progress, matchIndex: number, now: number): Progress {
  const agrees = matchIndex > progress.matchIndex || matchIndex >= progress.nextIndex - 1;
  if (!agrees) return progress;
  let arrived = 0;
  while (arrived < progress.inflight.length && (progress.inflight[arrived] ?? 0) <= matchIndex) {
    arrived += 1;
  }
  const next = copyProgress(progress);
  next.matchIndex = Math.max(progress.matchIndex, matchIndex);
  next.nextIndex = Math.max(progress.nextIndex, matchIndex + 1);
  // A probe's window holds nothing that a window of appends could go on with.
  next.inflight = progress.mode === "replicate" ? progress.inflight.slice(arrived) : [];
  next.mode = "replicate";
  next.snapshot = null;
  if (arrived > 0) next.appendTick = now;
  return next;
}

/** Whether a refusal is of the append that waits for an answer, and not of an older one. */
export function isRefusalCurrent(progress: Progress, rejectedIndex: number): boolean {
  switch (progress.mode) {
    case "probe":
      return rejectedIndex === progress.nextIndex - 1;
    case "replicate":
      return rejectedIndex > progress.matchIndex && rejectedIndex < progress.nextIndex;
    case "snapshot":
      return false;
  }
}
