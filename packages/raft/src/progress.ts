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
  return {
    ...progress,
    mode: "probe",
    nextIndex: progress.matchIndex + 1,
    inflight: [],
    snapshot: null,
  };
}

/** After an acknowledgement up to `matchIndex`; a late one of a lower index changes nothing. */
export function acknowledged(progress: Progress, matchIndex: number, now: number): Progress {
  const agrees = matchIndex > progress.matchIndex || matchIndex >= progress.nextIndex - 1;
  if (!agrees) return progress;
  let arrived = 0;
  while (arrived < progress.inflight.length && (progress.inflight[arrived] ?? 0) <= matchIndex) {
    arrived += 1;
  }
  // A probe's window holds nothing that a window of appends could go on with.
  const inflight = progress.mode === "replicate" ? progress.inflight.slice(arrived) : [];
  return {
    ...progress,
    matchIndex: Math.max(progress.matchIndex, matchIndex),
    nextIndex: Math.max(progress.nextIndex, matchIndex + 1),
    mode: "replicate",
    inflight,
    snapshot: null,
    appendTick: arrived > 0 ? now : progress.appendTick,
  };
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
