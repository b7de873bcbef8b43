import type { MemberId } from "./configuration.ts";
import { termAt } from "./log.ts";
import type { Message } from "./message.ts";
import { confirmedRound, sendHeartbeat, sendHeartbeats } from "./replication.ts";
import type { RaftState, ReadBatch, WaitingRead } from "./state.ts";
import { scaled, send, type Turn } from "./turn.ts";
import { keepFirst, lengthOf, push, sliceOf } from "./vector.ts";

/** Reads that may wait at one member, its own and those sent on to it. */
const readsMax = 10_000;

/** Takes a read of this member's, or one that `from` sent on. */
export function addRead(turn: Turn, id: number, from: MemberId | null): void {
  const { state } = turn;
  const count = lengthOf(state.readsWaiting) + (state.readsOut?.reads.length ?? 0);
  if (state.leaderId === null || count >= readsMax || (from !== null && state.role !== "leader")) {
    fail(turn, [{ id, from }]);
    return;
  }
  state.readsWaiting = push(state.readsWaiting, { id, from });
  if (state.role === "leader") beginRound(turn);
  else sendOn(turn);
}

/**
 * Begins a round for all reads that wait, unless one is out.
 *
 * Not before an entry of this term is committed: until then the commit index may lag behind what an earlier leader
 * has answered (§8).
 */
export function beginRound(turn: Turn): void {
  const { state } = turn;
  if (state.readsOut !== null || lengthOf(state.readsWaiting) === 0) return;
  if (termAt(state.log, state.commitIndex) !== state.currentTerm) return;
  const batch = takeWaiting(turn, state.round + 1, state.commitIndex);
  if (hasLease(state)) {
    answer(turn, batch, batch.index);
    return;
  }
  state.round += 1;
  state.readsOut = batch;
  if (confirmedRound(state) >= state.round) finishRounds(turn);
  else sendHeartbeats(turn);
}

function takeWaiting(turn: Turn, round: number, index: number): ReadBatch {
  const { state } = turn;
  const reads = sliceOf(state.readsWaiting, 0, lengthOf(state.readsWaiting));
  state.readsWaiting = keepFirst(state.readsWaiting, 0);
  return { round, index, reads, sinceTick: state.now };
}

/** After an answer: reads whose round a quorum has confirmed, and the lease. */
export function finishRounds(turn: Turn): void {
  const { state } = turn;
  if (state.readsOut === null && state.leaseRound < 0) return;
  const round = confirmedRound(state);
  const { leaseDrift, electionTicksMin } = state.options;
  if (leaseDrift !== null && state.leaseRound >= 0 && round >= state.leaseRound) {
    // One tick less: a follower's ticks may begin just after it heard the heartbeat.
    state.leaseUntil = state.leaseRoundTick + Math.floor(electionTicksMin * (1 - leaseDrift)) - 1;
    state.leaseRound = -1;
  }
  const batch = state.readsOut;
  if (batch === null || round < batch.round) return;
  state.readsOut = null;
  answer(turn, batch, batch.index);
  beginRound(turn);
}

/** Whether this leader may answer reads without asking (thesis §6.4.1). */
function hasLease(state: RaftState): boolean {
  return state.options.leaseDrift !== null && !state.leaseVoid && state.now < state.leaseUntil;
}

function answer(turn: Turn, batch: ReadBatch, index: number): void {
  const ids: number[] = [];
  for (const { id, from } of batch.reads) {
    if (from === null) {
      ids.push(id);
      continue;
    }
    // The asker can apply no further than it knows to be committed.
    sendHeartbeat(turn, from);
    sendIndex(turn, from, id, index);
  }
  if (ids.length > 0) turn.effects.push({ type: "readReady", ids, index });
}

/** Answers a `readIndex`; null: not by this member, or not now. */
export function sendIndex(turn: Turn, to: MemberId, id: number, index: number | null): void {
  const { state } = turn;
  send(turn, {
    type: "readIndexResponse",
    from: state.id,
    to,
    term: state.currentTerm,
    id,
    index,
  });
}

function fail(turn: Turn, reads: readonly WaitingRead[]): void {
  const ids: number[] = [];
  for (const { id, from } of reads) {
    if (from === null) ids.push(id);
    else sendIndex(turn, from, id, null);
  }
  if (ids.length > 0) turn.effects.push({ type: "readFailed", ids });
}

/** Fails all reads: the leader they wait for is no longer known to lead. */
export function failReads(turn: Turn): void {
  const { state } = turn;
  const waiting = sliceOf(state.readsWaiting, 0, lengthOf(state.readsWaiting));
  const reads = [...(state.readsOut?.reads ?? []), ...waiting];
  if (reads.length === 0) return;
  state.readsWaiting = keepFirst(state.readsWaiting, 0);
  state.readsOut = null;
  fail(turn, reads);
}

/** Asks the leader for an index for all reads that wait, unless an answer is awaited. */
function sendOn(turn: Turn): void {
  const { state } = turn;
  if (state.readsOut !== null || lengthOf(state.readsWaiting) === 0) return;
  if (state.leaderId === null) return;
  state.readSequence += 1;
  state.readsOut = takeWaiting(turn, state.readSequence, 0);
  send(turn, {
    type: "readIndex",
    from: state.id,
    to: state.leaderId,
    term: state.currentTerm,
    id: state.readSequence,
  });
}

export function onReadIndexResponse(
  turn: Turn,
  message: Extract<Message, { type: "readIndexResponse" }>,
): void {
  const { state } = turn;
  const batch = state.readsOut;
  if (state.role === "leader" || batch === null || batch.round !== message.id) return;
  state.readsOut = null;
  if (message.index === null) fail(turn, batch.reads);
  else answer(turn, batch, message.index);
  sendOn(turn);
}

/** A question or its answer may be lost; the caller asks again if it wants to. */
export function failLateReads(turn: Turn): void {
  const { state } = turn;
  if (state.readsOut === null) return;
  if (state.now - state.readsOut.sinceTick < scaled(state, state.options.electionTicksMax)) return;
  failReads(turn);
}
