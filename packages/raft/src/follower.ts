import { assert } from "./assert.ts";
import { commitTo } from "./commit.ts";
import type { MemberId } from "./configuration.ts";
import type { Entry } from "./entry.ts";
import { entryKind } from "./entry.ts";
import { lastIndexOfTerm, termAt } from "./log.ts";
import { configurationIn, configurationsBefore, setConfigurations } from "./membership.ts";
import type { Message } from "./message.ts";
import { failReads } from "./reads.ts";
import {
  appendEntry,
  draw,
  flush,
  longAgo,
  send,
  setHardState,
  type Turn,
  truncateFrom,
  waitForElection,
} from "./turn.ts";

type MessageOf<T extends Message["type"]> = Extract<Message, { type: T }>;

/** Follows in `term`; `leaderId` null: whoever will lead it. */
export function becomeFollower(turn: Turn, term: number, leaderId: MemberId | null): void {
  const { state } = turn;
  // While this is still the old role in the old term: what it says of its reads belongs there.
  if (state.role !== "follower" || term > state.currentTerm || leaderId !== state.leaderId) {
    failReads(turn);
  }
  if (term > state.currentTerm) setHardState(turn, term, null);
  state.leaderId = leaderId;
  if (state.role === "follower") return;
  state.role = "follower";
  state.votes = new Map();
  state.progress = new Map();
  turn.ownsProgress = true;
  state.transferTo = null;
  state.uncommittedBytes = 0;
  waitForElection(turn);
}

/** After a request of a leader of this term or a later one (§5.2). */
export function hearLeader(turn: Turn, term: number, from: MemberId): void {
  const { state } = turn;
  if (term > state.currentTerm || state.role !== "follower" || state.leaderId !== from) {
    assert(
      term > state.currentTerm || state.role !== "leader",
      `${from} and ${state.id} both lead in term ${term}`,
    );
    becomeFollower(turn, term, from);
    waitForElection(turn);
  }
  state.heardTick = state.now;
  state.waitSince = state.now;
}

/** The leader's connection closed: it may be dead, so the wait is short; if it lives it is heard again. */
export function loseLeader(turn: Turn): void {
  const { state } = turn;
  // A lease counts on every follower to keep its word, whatever its connections do.
  if (state.options.leaseDrift !== null) return;
  failReads(turn);
  state.leaderId = null;
  state.heardTick = longAgo;
  state.waitSince = state.now;
  state.waitTicks = draw(turn, 0, state.options.leaderLostTicksMax);
}

export function onAppend(turn: Turn, message: MessageOf<"append">): void {
  const { state } = turn;
  // The log in memory is ahead of the disk and of the driver's state: nothing is added until they have met.
  if (state.installing !== null) return;
  const { prevIndex, prevTerm, entries } = message;
  const lastProven = prevIndex + entries.length;
  // What is committed here is in the log of every later leader (§5.4), and may be compacted: it is not compared.
  if (prevIndex >= state.commitIndex && termAt(state.log, prevIndex) !== prevTerm) {
    refuseAppend(turn, message);
    return;
  }
  storeNew(turn, entries);
  send(turn, appendResponse(turn, message, lastProven), lastProven);
  flush(turn);
  const commitIndex = Math.min(message.commitIndex, lastProven);
  if (commitIndex > state.commitIndex) commitTo(turn, commitIndex);
}

/** Stores what the log lacks; only a conflict drops anything (§5.3). */
function storeNew(turn: Turn, entries: readonly Entry[]): void {
  const { state } = turn;
  let at = 0;
  for (; at < entries.length; at += 1) {
    const entry = entries[at];
    if (entry === undefined || entry.index > state.log.lastIndex) break;
    const term = termAt(state.log, entry.index);
    const isCompacted = term === null && entry.index <= state.commitIndex;
    if (isCompacted || term === entry.term) continue;
    truncateFrom(turn, entry.index);
    if (state.configurationIndex >= entry.index) {
      setConfigurations(turn, configurationsBefore(state.configurations, entry.index));
    }
    break;
  }
  for (; at < entries.length; at += 1) {
    const entry = entries[at];
    if (entry !== undefined) storeEntry(turn, entry);
  }
}

/** Appends an entry; a configuration counts from now on (§6). */
export function storeEntry(turn: Turn, entry: Entry): void {
  appendEntry(turn, entry);
  if (entry.data[0] !== entryKind.configuration) return;
  const configuration = configurationIn(entry);
  if (configuration === null) return;
  const { configurations } = turn.state;
  setConfigurations(turn, [...configurations, { index: entry.index, configuration }]);
}

function appendResponse(
  turn: Turn,
  message: MessageOf<"append">,
  matchIndex: number | null,
): MessageOf<"appendResponse"> & Message {
  return {
    type: "appendResponse",
    from: turn.state.id,
    to: message.from,
    term: turn.state.currentTerm,
    round: message.round,
    matchIndex,
    rejectedIndex: 0,
    hintIndex: 0,
    hintTerm: 0,
  };
}

function refuseAppend(turn: Turn, message: MessageOf<"append">): void {
  const { log, commitIndex } = turn.state;
  const agrees = lastIndexOfTerm(log, message.prevIndex, message.prevTerm);
  const hintIndex = Math.max(agrees, commitIndex);
  send(turn, {
    ...appendResponse(turn, message, null),
    rejectedIndex: message.prevIndex,
    hintIndex,
    hintTerm: termAt(log, hintIndex) ?? 0,
  });
}

export function onHeartbeat(turn: Turn, message: MessageOf<"heartbeat">): void {
  const { state } = turn;
  state.askedMult = message.timeoutMult;
  state.timeoutMult = Math.max(state.ownMult, message.timeoutMult);
  sendHeartbeatResponse(turn, message);
  const { commitIndex } = message;
  // The leader names no more than this member acknowledged in this term.
  const isHeld = commitIndex <= state.log.lastIndex && state.installing === null;
  if (isHeld && commitIndex > state.commitIndex) commitTo(turn, commitIndex);
}

function sendHeartbeatResponse(turn: Turn, message: MessageOf<"heartbeat">): void {
  const { state } = turn;
  send(turn, {
    type: "heartbeatResponse",
    from: state.id,
    to: message.from,
    term: state.currentTerm,
    round: message.round,
    timeoutMult: state.ownMult,
  });
}

/** Answers a leader of an earlier term with the current one, so that it learns of it. */
export function answerOldLeader(
  turn: Turn,
  message: MessageOf<"append" | "heartbeat" | "snapshotChunk">,
): void {
  switch (message.type) {
    case "append":
      send(turn, { ...appendResponse(turn, message, null), rejectedIndex: message.prevIndex });
      return;
    case "heartbeat":
      sendHeartbeatResponse(turn, message);
      return;
    case "snapshotChunk":
      send(turn, {
        type: "snapshotResponse",
        from: turn.state.id,
        to: message.from,
        term: turn.state.currentTerm,
        index: message.snapshot.index,
        offset: 0,
        installed: false,
        round: message.round,
      });
  }
}
