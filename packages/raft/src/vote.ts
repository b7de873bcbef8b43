import { becomeFollower } from "./follower.ts";
import type { Message } from "./message.ts";
import type { RaftState } from "./state.ts";
import { scaled, send, setHardState, type Turn } from "./turn.ts";

type RequestVote = Extract<Message, { type: "requestVote" }>;

/** Whether a leader is known to live, so that nobody else is needed (thesis §4.2.3). */
export function hearsLeader(state: RaftState): boolean {
  if (state.role === "leader") return true;
  return state.now - state.heardTick < scaled(state, state.options.electionTicksMin);
}

/** Whether the asker's log is as new as this member's, so that it has all that is committed (§5.4.1). */
function isUpToDate({ log }: RaftState, message: RequestVote): boolean {
  if (message.lastTerm !== log.lastTerm) return message.lastTerm > log.lastTerm;
  return message.lastIndex >= log.lastIndex;
}

export function onRequestVote(turn: Turn, message: RequestVote): void {
  const { state } = turn;
  const isKept = !message.transfer && hearsLeader(state);
  if (message.term < state.currentTerm || isKept) {
    answer(turn, message, false);
    return;
  }
  if (message.preVote) {
    // It changes nothing here: it asks whether the real request would be granted (thesis §9.6).
    const isFree = message.term > state.currentTerm || isFreeFor(state, message);
    answer(turn, message, isFree && isUpToDate(state, message));
    return;
  }
  if (message.term > state.currentTerm) becomeFollower(turn, message.term, null);
  const granted = isFreeFor(state, message) && isUpToDate(state, message);
  if (granted) {
    if (state.votedFor === null) setHardState(turn, state.currentTerm, message.from);
    state.waitSince = state.now;
  }
  answer(turn, message, granted);
}

/** One vote a term, and the same one again when asked again (§5.2). */
function isFreeFor(state: RaftState, message: RequestVote): boolean {
  if (state.votedFor !== null) return state.votedFor === message.from;
  return state.leaderId === null;
}

function answer(turn: Turn, message: RequestVote, granted: boolean): void {
  const { id, currentTerm } = turn.state;
  send(turn, {
    type: "voteResponse",
    from: id,
    to: message.from,
    // A pre-vote is granted for a term that nobody is in yet.
    term: granted ? message.term : currentTerm,
    preVote: message.preVote,
    granted,
  });
}
