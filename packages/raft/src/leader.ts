import { assert } from "./assert.ts";
import { commitTo } from "./commit.ts";
import type { Configuration, MemberChange, MemberId } from "./configuration.ts";
import { encodeConfiguration } from "./configuration-codec.ts";
import type { Refusal } from "./effect.ts";
import { entryKind } from "./entry.ts";
import { becomeFollower, storeEntry } from "./follower.ts";
import { entryAt, entryBytes, termAt } from "./log.ts";
import { changed, changeRefusal, isJoint, leaveJoint } from "./membership.ts";
import type { Message } from "./message.ts";
import { newProgress } from "./progress.ts";
import { isVoter } from "./quorum.ts";
import { beginRound, failReads, finishRounds } from "./reads.ts";
import {
  noteAnswer,
  onAppendResponse,
  onHeartbeatResponse,
  onSnapshotResponse,
  quorumTick,
  replicatedIndex,
  sendAllAppends,
  sendHeartbeats,
} from "./replication.ts";
import type { Progress, RaftState } from "./state.ts";
import { longAgo, scaled, send, setProgress, type Turn } from "./turn.ts";

/** How long a member's wish for longer timeouts counts after it last said so: a minute of ticks. */
const askedTicksMax = 4000;

/** Kinds that may be proposed; configurations come of `changeMembers`. */
const proposed: readonly number[] = [entryKind.noop, entryKind.command, entryKind.record];

/** How many longest election waits a member that was left out is still told so. */
const guestWaits = 4;

export function becomeLeader(turn: Turn): void {
  const { state } = turn;
  failReads(turn);
  state.role = "leader";
  state.leaderId = state.id;
  state.votes = new Map();
  state.transferTo = null;
  state.heartbeatTick = state.now;
  state.askedMult = state.timeoutMult;
  state.askedTick = state.now;
  state.leaseRound = -1;
  state.leaseUntil = longAgo;
  state.leaseVoid = false;
  state.uncommittedBytes = tailBytes(state, state.commitIndex, state.log.lastIndex);
  const progress = new Map<MemberId, Progress>();
  for (const { id } of state.configuration.members) {
    if (id !== state.id) progress.set(id, newProgress(state.log.lastIndex + 1, state.now));
  }
  state.progress = progress;
  turn.ownsProgress = true;
  // Entries of earlier terms are committed by one of this term only (§5.4.2).
  appendOwn(turn, new Uint8Array([entryKind.noop]));
  sendAllAppends(turn);
}

function tailBytes(state: RaftState, after: number, to: number): number {
  let bytes = 0;
  for (let index = after + 1; index <= to; index += 1) {
    const entry = entryAt(state.log, index);
    if (entry !== undefined) bytes += entryBytes(entry);
  }
  return bytes;
}

function appendOwn(turn: Turn, data: Uint8Array): void {
  const { state } = turn;
  const entry = { index: state.log.lastIndex + 1, term: state.currentTerm, data };
  storeEntry(turn, entry);
  state.uncommittedBytes += entryBytes(entry);
}

/** Why a proposal would be refused now; null when it would be taken. */
export function canPropose(state: RaftState): Refusal | null {
  if (state.role !== "leader") return "notLeader";
  if (state.transferTo !== null) return "transferring";
  return state.uncommittedBytes >= state.options.uncommittedBytesMax ? "full" : null;
}

export function onPropose(turn: Turn, data: Uint8Array): void {
  const { state } = turn;
  assert(data[0] !== undefined && proposed.includes(data[0]), "a proposal of another kind");
  const reason = canPropose(state);
  if (reason !== null) {
    turn.effects.push({ type: "refused", what: "propose", reason });
    return;
  }
  appendOwn(turn, data);
  turn.effects.push({ type: "proposed", index: state.log.lastIndex, term: state.currentTerm });
  sendAllAppends(turn);
}

export function onChangeMembers(turn: Turn, change: MemberChange): void {
  const { state } = turn;
  const refusal = changeRefusal(state, termAt(state.log, state.commitIndex));
  const lagOf = (id: MemberId) => state.log.lastIndex - (state.progress.get(id)?.matchIndex ?? 0);
  const next = refusal ?? changed(state.configuration, change, lagOf, state.options.promoteLagMax);
  if (typeof next === "string") {
    turn.effects.push({ type: "refused", what: "changeMembers", reason: next });
    return;
  }
  appendConfiguration(turn, next);
  turn.effects.push({ type: "proposed", index: state.log.lastIndex, term: state.currentTerm });
}

function appendConfiguration(turn: Turn, configuration: Configuration): void {
  const { state } = turn;
  const text = encodeConfiguration(configuration);
  const data = new Uint8Array(text.length + 1);
  data[0] = entryKind.configuration;
  data.set(text, 1);
  appendOwn(turn, data);
  const named = new Set(configuration.members.map(({ id }) => id));
  for (const id of named) {
    const known = state.progress.get(id);
    if (id === state.id) continue;
    if (known === undefined) setProgress(turn, id, newProgress(state.log.lastIndex, state.now));
    else if (known.guestUntil !== null) setProgress(turn, id, { ...known, guestUntil: null });
  }
  for (const [id, progress] of state.progress) {
    if (named.has(id) || progress.guestUntil !== null) continue;
    setProgress(turn, id, { ...progress, guestUntil: guestEnd(state) });
  }
  sendAllAppends(turn);
}

/** A member that was left out gets the log a little longer, so that it learns of it and stays quiet. */
function guestEnd(state: RaftState): number {
  return state.now + scaled(state, state.options.electionTicksMax) * guestWaits;
}

/** One that was cut off when it was removed asks for votes in vain: it is told as well. */
export function welcomeGuest(turn: Turn, id: MemberId): void {
  const { state } = turn;
  if (state.role !== "leader" || state.progress.has(id) || state.progress.size >= 32) return;
  const guest = newProgress(state.log.lastIndex + 1, state.now);
  setProgress(turn, id, { ...guest, guestUntil: guestEnd(state) });
  sendAllAppends(turn);
}

/** Commits what a quorum holds, if the newest of it is of this term (§5.4.2, figure 8). */
export function advanceCommit(turn: Turn): void {
  const { state } = turn;
  const index = replicatedIndex(state);
  if (index <= state.commitIndex || termAt(state.log, index) !== state.currentTerm) return;
  state.uncommittedBytes -= tailBytes(state, state.commitIndex, index);
  const before = state.commitIndex;
  commitTo(turn, index);
  if (state.configurationIndex > before && state.configurationIndex <= index) {
    onConfigurationCommitted(turn);
  } else if (isJoint(state.configuration) && state.configurationIndex <= index) {
    appendConfiguration(turn, leaveJoint(state.configuration));
  }
  if (state.role === "leader") beginRound(turn);
}

function onConfigurationCommitted(turn: Turn): void {
  const { state } = turn;
  if (isJoint(state.configuration)) {
    appendConfiguration(turn, leaveJoint(state.configuration));
    return;
  }
  sendHeartbeats(turn);
  if (!isVoter(state.configuration, state.id)) becomeFollower(turn, state.currentTerm, null);
}

/** An answer to a request of this leader. */
export function onAnswer(
  turn: Turn,
  message: Extract<Message, { type: "appendResponse" | "heartbeatResponse" | "snapshotResponse" }>,
): void {
  const { state } = turn;
  noteAnswer(turn, message.from, message.round);
  switch (message.type) {
    case "appendResponse":
      onAppendResponse(turn, message);
      break;
    case "heartbeatResponse":
      noteAsked(turn, message.timeoutMult);
      onHeartbeatResponse(turn, message.from);
      break;
    case "snapshotResponse":
      onSnapshotResponse(turn, message);
  }
  finishRounds(turn);
  advanceCommit(turn);
  if (state.transferTo === message.from) goOnWithTransfer(turn);
}

function noteAsked(turn: Turn, timeoutMult: number): void {
  const { state } = turn;
  if (timeoutMult < state.askedMult) return;
  state.askedMult = timeoutMult;
  state.askedTick = state.now;
  state.timeoutMult = Math.max(state.ownMult, timeoutMult);
}

export function tickLeader(turn: Turn): void {
  const { state } = turn;
  const { options, now } = state;
  if (now - quorumTick(state) >= scaled(state, options.electionTicksMin)) {
    becomeFollower(turn, state.currentTerm, null);
    return;
  }
  if (now - state.askedTick > askedTicksMax) {
    state.askedMult = 1;
    state.askedTick = now;
    state.timeoutMult = state.ownMult;
  }
  if (state.transferTo !== null) {
    const isLate = now - state.transferSince >= scaled(state, options.electionTicksMax);
    if (isLate) state.transferTo = null;
  }
  if (now - state.heartbeatTick < scaled(state, options.heartbeatTicks)) return;
  state.heartbeatTick = now;
  dropGuests(turn);
  if (options.leaseDrift !== null && state.leaseRound < 0) {
    state.round += 1;
    state.leaseRound = state.round;
    state.leaseRoundTick = now;
  }
  sendHeartbeats(turn);
  finishRounds(turn);
  if (state.transferTo !== null) goOnWithTransfer(turn);
}

function dropGuests(turn: Turn): void {
  const { state } = turn;
  for (const [id, { guestUntil }] of state.progress) {
    if (guestUntil === null || state.now < guestUntil) continue;
    state.progress = new Map([...state.progress].filter(([each]) => each !== id));
    turn.ownsProgress = true;
  }
}

/** Hands leadership over (thesis §3.10). */
export function onTransfer(turn: Turn, to: MemberId): void {
  const { state } = turn;
  const reason = transferRefusal(state, to);
  if (reason !== null) {
    turn.effects.push({ type: "refused", what: "transfer", reason });
    return;
  }
  state.transferTo = to;
  state.transferSince = state.now;
  // Its vote goes past those who still hear this leader, so no lease holds from now on.
  state.leaseVoid = true;
  goOnWithTransfer(turn);
}

function transferRefusal(state: RaftState, to: MemberId): Refusal | null {
  if (state.role !== "leader") return "notLeader";
  if (state.transferTo !== null) return "transferring";
  if (to === state.id) return "nothingToDo";
  return isVoter(state.configuration, to) && state.progress.has(to) ? null : "unknownMember";
}

function goOnWithTransfer(turn: Turn): void {
  const { state } = turn;
  const to = state.transferTo;
  if (to === null || state.progress.get(to)?.matchIndex !== state.log.lastIndex) return;
  send(turn, { type: "timeoutNow", from: state.id, to, term: state.currentTerm });
}
