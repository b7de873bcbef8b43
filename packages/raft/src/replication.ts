import { assert } from "./assert.ts";
import type { MemberId } from "./configuration.ts";
import { copyProgress } from "./copy.ts";
import type { Entry } from "./entry.ts";
import { batchOf, lastIndexOfTerm, termAt } from "./log.ts";
import type { Message } from "./message.ts";
import { acknowledged, isRefusalCurrent, probing } from "./progress.ts";
import { quorumIndex } from "./quorum.ts";
import type { Progress, RaftState } from "./state.ts";
import { scaled, send, setProgress, type Turn } from "./turn.ts";

type MessageOf<T extends Message["type"]> = Extract<Message, { type: T }>;

/** Sends all that this member may be sent now. */
export function sendAppends(turn: Turn, id: MemberId): void {
  const { state } = turn;
  const progress = state.progress.get(id);
  if (progress === undefined || progress.mode === "snapshot") return;
  const { log, options } = state;
  const isProbe = progress.mode === "probe";
  if (isProbe ? progress.inflight.length > 0 : progress.inflight.length >= options.inflightMax) {
    return;
  }
  let { nextIndex } = progress;
  if (!isProbe && nextIndex > log.lastIndex) return;
  const inflight = progress.inflight.slice();
  while (inflight.length < options.inflightMax && (isProbe || nextIndex <= log.lastIndex)) {
    const prevTerm = termAt(log, nextIndex - 1);
    if (prevTerm === null) {
      startSnapshot(turn, id, progress);
      return;
    }
    const entries = batchOf(log, nextIndex, options.appendBytesMax);
    sendAppend(turn, id, nextIndex - 1, prevTerm, entries);
    inflight.push(nextIndex - 1 + entries.length);
    if (isProbe) break;
    nextIndex += entries.length;
  }
  const next = copyProgress(progress);
  next.nextIndex = nextIndex;
  next.inflight = inflight;
  if (progress.inflight.length === 0) next.appendTick = state.now;
  setProgress(turn, id, next);
}

function sendAppend(
  turn: Turn,
  to: MemberId,
  prevIndex: number,
  prevTerm: number,
  entries: readonly Entry[],
): void {
  const { id, currentTerm, commitIndex, round } = turn.state;
  send(turn, {
    type: "append",
    from: id,
    to,
    term: currentTerm,
    prevIndex,
    prevTerm,
    entries,
    commitIndex,
    round,
  });
}

/** Sends everyone all that they may be sent. */
export function sendAllAppends(turn: Turn): void {
  for (const id of turn.state.progress.keys()) sendAppends(turn, id);
}

/** Sends everyone a heartbeat of the current round. */
export function sendHeartbeats(turn: Turn): void {
  for (const id of turn.state.progress.keys()) sendHeartbeat(turn, id);
}

export function sendHeartbeat(turn: Turn, to: MemberId): void {
  const { state } = turn;
  const matchIndex = state.progress.get(to)?.matchIndex ?? 0;
  send(turn, {
    type: "heartbeat",
    from: state.id,
    to,
    term: state.currentTerm,
    // No more than it is known to hold: a heartbeat proves nothing about its log.
    commitIndex: Math.min(state.commitIndex, matchIndex),
    round: state.round,
    timeoutMult: state.timeoutMult,
  });
}

/** An answer of any kind shows that its sender lives and followed in the round that it names. */
export function noteAnswer(turn: Turn, from: MemberId, round: number): void {
  const progress = turn.state.progress.get(from);
  if (progress === undefined) return;
  const next = copyProgress(progress);
  next.ackTick = turn.state.now;
  next.round = Math.max(progress.round, Math.min(round, turn.state.round));
  setProgress(turn, from, next);
}

export function onAppendResponse(turn: Turn, message: MessageOf<"appendResponse">): void {
  const { state } = turn;
  const progress = state.progress.get(message.from);
  if (progress === undefined) return;
  const { matchIndex, rejectedIndex } = message;
  if (matchIndex === null) {
    if (!isRefusalCurrent(progress, rejectedIndex)) return;
    const agreed = lastIndexOfTerm(state.log, message.hintIndex, message.hintTerm);
    const nextIndex = Math.max(progress.matchIndex + 1, Math.min(rejectedIndex, agreed + 1));
    setProgress(turn, message.from, { ...probing(progress), nextIndex });
  } else {
    if (matchIndex > state.log.lastIndex) return;
    if (progress.mode === "snapshot" && termAt(state.log, matchIndex) === null) return;
    setProgress(turn, message.from, acknowledged(progress, matchIndex, state.now));
  }
  sendAppends(turn, message.from);
}

export function onHeartbeatResponse(turn: Turn, from: MemberId): void {
  const { state } = turn;
  const progress = state.progress.get(from);
  if (progress === undefined) return;
  const isSilent = state.now - progress.appendTick >= scaled(state, state.options.electionTicksMin);
  switch (progress.mode) {
    case "probe":
      // It lives, so the append before this was lost, or its answer was.
      setProgress(turn, from, { ...progress, inflight: [] });
      break;
    case "replicate":
      if (progress.inflight.length > 0 && isSilent) setProgress(turn, from, probing(progress));
      break;
    case "snapshot":
      if (isSilent) resumeSnapshot(turn, from, progress);
      return;
  }
  sendAppends(turn, from);
}

/** A connection to this member closed: what was on its way may be lost. */
export function onPeerLost(turn: Turn, peer: MemberId): void {
  const progress = turn.state.progress.get(peer);
  if (progress === undefined) return;
  const { now, options } = turn.state;
  if (progress.mode === "snapshot") {
    const appendTick = now - scaled(turn.state, options.electionTicksMin);
    setProgress(turn, peer, { ...progress, appendTick });
  } else {
    setProgress(turn, peer, probing(progress));
  }
}

function startSnapshot(turn: Turn, to: MemberId, progress: Progress): void {
  sendChunk(turn, to, {
    ...progress,
    mode: "snapshot",
    inflight: [],
    snapshot: turn.state.log.snapshot,
    snapshotOffset: 0,
  });
}

/** Goes on where the last answer said, unless another snapshot has taken the place of the one on its way. */
function resumeSnapshot(turn: Turn, to: MemberId, progress: Progress): void {
  const { snapshot } = turn.state.log;
  if (progress.snapshot?.index === snapshot.index) sendChunk(turn, to, progress);
  else startSnapshot(turn, to, progress);
}

function sendChunk(turn: Turn, to: MemberId, progress: Progress): void {
  const { state } = turn;
  assert(progress.snapshot !== null, `no snapshot is on its way to ${to}`);
  // A number of its own for each chunk: only its answer leads to the next.
  state.round += 1;
  setProgress(turn, to, { ...progress, snapshotRound: state.round, appendTick: state.now });
  turn.effects.push({
    type: "sendSnapshot",
    to,
    snapshot: progress.snapshot,
    offset: progress.snapshotOffset,
    round: state.round,
  });
}

export function onSnapshotResponse(turn: Turn, message: MessageOf<"snapshotResponse">): void {
  const { state } = turn;
  const progress = state.progress.get(message.from);
  if (progress === undefined) return;
  if (message.installed) {
    if (message.index > state.log.lastIndex) return;
    const isOfTransfer = progress.snapshot?.index === message.index;
    if (progress.mode === "snapshot" && !isOfTransfer) return;
    setProgress(turn, message.from, acknowledged(progress, message.index, state.now));
    sendAppends(turn, message.from);
    return;
  }
  if (progress.mode !== "snapshot" || progress.snapshot?.index !== message.index) return;
  if (message.round !== progress.snapshotRound) return;
  sendChunk(turn, message.from, { ...progress, snapshotOffset: message.offset });
}

/** The highest index that this leader may commit, whatever the term of the entry (§5.3). */
export function replicatedIndex(state: RaftState): number {
  return quorumIndex(state.configuration, matchOf, state);
}

/** The latest round that a quorum has answered. */
export function confirmedRound(state: RaftState): number {
  return quorumIndex(state.configuration, roundOf, state);
}

/** The latest tick since which a quorum has answered. */
export function quorumTick(state: RaftState): number {
  return quorumIndex(state.configuration, ackTickOf, state);
}

// A leader counts its own entries when they are durable, like everyone else's.
function matchOf(state: RaftState, id: MemberId): number {
  return id === state.id ? state.log.durableIndex : (state.progress.get(id)?.matchIndex ?? 0);
}

function roundOf(state: RaftState, id: MemberId): number {
  return id === state.id ? state.round : (state.progress.get(id)?.round ?? 0);
}

function ackTickOf(state: RaftState, id: MemberId): number {
  return id === state.id ? state.now : (state.progress.get(id)?.ackTick ?? 0);
}
