import { assert } from "./assert.ts";
import {
  becomeCandidate,
  countOwnVote,
  isSoleVoter,
  onElectionTimeout,
  onVoteResponse,
} from "./candidate.ts";
import type { Effect } from "./effect.ts";
import {
  answerOldLeader,
  becomeFollower,
  hearLeader,
  loseLeader,
  onAppend,
  onHeartbeat,
} from "./follower.ts";
import type { Input } from "./input.ts";
import {
  advanceCommit,
  onAnswer,
  onChangeMembers,
  onPropose,
  onTransfer,
  tickLeader,
  welcomeGuest,
} from "./leader.ts";
import { isMember } from "./membership.ts";
import type { Message } from "./message.ts";
import { isVoter } from "./quorum.ts";
import { addRead, failLateReads, onReadIndexResponse, sendIndex } from "./reads.ts";
import { onPeerLost } from "./replication.ts";
import { onCompacted, onSnapshotChunk, onSnapshotInstalled } from "./snapshot-install.ts";
import type { RaftState } from "./state.ts";
import { beginTurn, flush, markDurable, scaled, type Turn } from "./turn.ts";
import { onRequestVote } from "./vote.ts";

/** Advances a member by one input. Equal arguments give equal results, and `state` stays as it is. */
export function step(state: RaftState, input: Input): readonly [RaftState, readonly Effect[]] {
  const turn = beginTurn(state);
  take(turn, input);
  flush(turn);
  return [turn.state, turn.effects];
}

function take(turn: Turn, input: Input): void {
  switch (input.type) {
    case "tick":
      tick(turn);
      return;
    case "receive":
      receive(turn, input.message);
      return;
    case "propose":
      onPropose(turn, input.data);
      return;
    case "changeMembers":
      onChangeMembers(turn, input.change);
      return;
    case "transfer":
      onTransfer(turn, input.to);
      return;
    case "read":
      addRead(turn, input.id, null);
      return;
    case "persisted":
      onPersisted(turn, input.ticket);
      return;
    case "compacted":
      assert(input.snapshot.index <= turn.state.commitIndex, "a snapshot of uncommitted entries");
      onCompacted(turn, input.snapshot, input.firstIndex);
      return;
    case "snapshotInstalled":
      onSnapshotInstalled(turn, input.index);
      return;
    case "peerLost":
      if (turn.state.role === "leader") onPeerLost(turn, input.peer);
      else if (turn.state.leaderId === input.peer) loseLeader(turn);
      return;
    case "stepDown":
      becomeFollower(turn, turn.state.currentTerm, null);
      return;
    case "load":
      takeLoad(turn, input.timeoutMult);
      return;
  }
}

function tick(turn: Turn): void {
  const { state } = turn;
  state.now += 1;
  if (state.role === "leader") {
    tickLeader(turn);
    return;
  }
  failLateReads(turn);
  const isDue = state.now - state.waitSince >= scaled(state, state.waitTicks);
  // A sole voter needs nobody's vote, but may not pass over the lease of the leader that has just left it alone.
  const needsNoWait = isSoleVoter(state) && state.options.leaseDrift === null;
  if (isDue || needsNoWait) onElectionTimeout(turn);
}

function onPersisted(turn: Turn, ticket: number): void {
  markDurable(turn, ticket);
  countOwnVote(turn);
  if (turn.state.role === "leader") advanceCommit(turn);
}

function takeLoad(turn: Turn, timeoutMult: number): void {
  const { state } = turn;
  state.ownMult = Math.min(Math.max(timeoutMult, 1), 10);
  state.timeoutMult = Math.max(state.ownMult, state.askedMult);
}

function receive(turn: Turn, message: Message): void {
  const { state } = turn;
  if (message.to !== state.id) return;
  switch (message.type) {
    case "append":
    case "heartbeat":
    case "snapshotChunk":
      receiveFromLeader(turn, message);
      return;
    case "requestVote":
      onRequestVote(turn, message);
      if (!isMember(state.configuration, message.from)) welcomeGuest(turn, message.from);
      return;
    default:
      if (isOfThisTerm(turn, message)) receiveInTerm(turn, message);
  }
}

function receiveFromLeader(
  turn: Turn,
  message: Extract<Message, { type: "append" | "heartbeat" | "snapshotChunk" }>,
): void {
  if (message.term < turn.state.currentTerm) {
    answerOldLeader(turn, message);
    return;
  }
  hearLeader(turn, message.term, message.from);
  if (message.type === "append") onAppend(turn, message);
  else if (message.type === "heartbeat") onHeartbeat(turn, message);
  else onSnapshotChunk(turn, message);
}

/** Steps up to a newer term; leaves out what belongs to an older one, and terms of strangers (§5.1). */
function isOfThisTerm(turn: Turn, message: Message): boolean {
  const { state } = turn;
  if (message.term < state.currentTerm) {
    if (message.type === "readIndex") sendIndex(turn, message.from, message.id, null);
    return false;
  }
  if (message.term === state.currentTerm) return true;
  if (message.type === "voteResponse" && message.preVote && message.granted) return true;
  if (!isMember(state.configuration, message.from)) return false;
  becomeFollower(turn, message.term, null);
  return true;
}

type InTerm = Exclude<Message, { type: "append" | "heartbeat" | "snapshotChunk" | "requestVote" }>;

function receiveInTerm(turn: Turn, message: InTerm): void {
  const { state } = turn;
  switch (message.type) {
    case "appendResponse":
    case "heartbeatResponse":
    case "snapshotResponse":
      if (state.role === "leader" && state.progress.has(message.from)) onAnswer(turn, message);
      return;
    case "voteResponse":
      onVoteResponse(turn, message);
      return;
    case "timeoutNow":
      // Only who leads this term, and only a member whose log is whole, may cut the wait short.
      if (state.role === "leader" || state.installing !== null) return;
      if (isVoter(state.configuration, state.id)) becomeCandidate(turn, true);
      return;
    case "readIndex":
      addRead(turn, message.id, message.from);
      return;
    case "readIndexResponse":
      onReadIndexResponse(turn, message);
  }
}
