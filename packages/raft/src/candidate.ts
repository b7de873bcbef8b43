import { becomeFollower } from "./follower.ts";
import { becomeLeader } from "./leader.ts";
import { configurationAt } from "./membership.ts";
import type { Message } from "./message.ts";
import { isVoter, voteResult } from "./quorum.ts";
import { failReads } from "./reads.ts";
import type { RaftState } from "./state.ts";
import { longAgo, send, setHardState, type Turn, waitForElection } from "./turn.ts";

/** Whether nobody else has a vote, so that there is nobody to wait for. */
export function isSoleVoter({ configuration, id }: RaftState): boolean {
  const { voters, outgoing } = configuration;
  return voters.length === 1 && voters[0] === id && outgoing.every((each) => each === id);
}

/**
 * Whether this member may stand for election: it has a vote, or had one in the last configuration that it knows to be
 * committed. The others may need the log of one that its own newest configuration leaves out (thesis §4.2.2).
 */
export function canCampaign(state: RaftState): boolean {
  if (state.installing !== null) return false;
  const { configuration, commitIndex, id } = state;
  return isVoter(configuration, id) || isVoter(configurationAt(state, commitIndex), id);
}

/** The wait for a leader is over. */
export function onElectionTimeout(turn: Turn): void {
  const { state } = turn;
  if (!canCampaign(state)) {
    waitForElection(turn);
  } else if (isSoleVoter(state)) {
    // Its own vote is on its way to the disk since the last tick.
    if (state.role !== "candidate") becomeCandidate(turn, false);
  } else {
    becomePreCandidate(turn);
  }
}

/** Asks whether it could win, before it disturbs anyone with a new term (thesis §9.6). */
function becomePreCandidate(turn: Turn): void {
  const { state } = turn;
  failReads(turn);
  state.role = "preCandidate";
  state.leaderId = null;
  state.votes = new Map([[state.id, true]]);
  waitForElection(turn);
  requestVotes(turn, state.currentTerm + 1, true, false);
}

/** Stands for election in the next term (§5.2). Its own vote counts when it is durable, as all others do. */
export function becomeCandidate(turn: Turn, transfer: boolean): void {
  const { state } = turn;
  failReads(turn);
  state.role = "candidate";
  state.leaderId = null;
  state.heardTick = longAgo;
  state.votes = new Map();
  setHardState(turn, state.currentTerm + 1, state.id);
  waitForElection(turn);
  requestVotes(turn, state.currentTerm, false, transfer);
}

function requestVotes(turn: Turn, term: number, preVote: boolean, transfer: boolean): void {
  const { id, configuration, log } = turn.state;
  const { lastIndex, lastTerm } = log;
  for (const { id: to } of configuration.members) {
    if (to === id || !isVoter(configuration, to)) continue;
    send(turn, {
      type: "requestVote",
      from: id,
      to,
      term,
      preVote,
      transfer,
      lastIndex,
      lastTerm,
    });
  }
}

export function onVoteResponse(
  turn: Turn,
  message: Extract<Message, { type: "voteResponse" }>,
): void {
  const { state } = turn;
  const isAsked = message.preVote
    ? state.role === "preCandidate" &&
      message.term === state.currentTerm + (message.granted ? 1 : 0)
    : state.role === "candidate" && message.term === state.currentTerm;
  // Only who has a vote is counted, or even remembered.
  if (isAsked && isVoter(state.configuration, message.from))
    count(turn, message.from, message.granted);
}

/** After a durable write: this member's own vote may be among it. */
export function countOwnVote(turn: Turn): void {
  const { state } = turn;
  if (state.role !== "candidate" || state.votes.has(state.id)) return;
  if (state.hardStateTicket <= state.durableTicket) count(turn, state.id, true);
}

function count(turn: Turn, from: string, granted: boolean): void {
  const { state } = turn;
  // By member, so that an answer that comes twice counts once.
  state.votes = new Map(state.votes).set(from, granted);
  switch (voteResult(state.configuration, state.votes)) {
    case "won":
      if (state.role === "preCandidate") becomeCandidate(turn, false);
      else becomeLeader(turn);
      return;
    case "lost":
      becomeFollower(turn, state.currentTerm, null);
      return;
    case "open":
      return;
  }
}
