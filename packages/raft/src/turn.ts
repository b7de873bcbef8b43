import { assert } from "./assert.ts";
import type { MemberId } from "./configuration.ts";
import { copyState, type Mutable } from "./copy.ts";
import type { Effect } from "./effect.ts";
import type { Entry } from "./entry.ts";
import { append, truncate, withDurable } from "./log.ts";
import type { Message } from "./message.ts";
import { nextRandom } from "./random.ts";
import type { Progress, RaftState } from "./state.ts";
import { dropFirst, itemAt, keepFirst, lengthOf, push } from "./vector.ts";

/**
 * One step under way: the next state, owned by this step until it ends, and the effects so far.
 *
 * Only the outermost object is changed in place; what it refers to is shared with earlier states and replaced.
 */
export interface Turn {
  readonly state: Mutable<RaftState>;
  readonly effects: Effect[];
  /** What the next `persist` will hold. */
  hardStateChanged: boolean;
  truncateFrom: number | null;
  entries: Entry[];
  whenDurable: Message[];
  /** The progress map was copied by this turn and may be written. */
  ownsProgress: boolean;
}

export function beginTurn(state: RaftState): Turn {
  return {
    state: copyState(state),
    effects: [],
    hardStateChanged: false,
    truncateFrom: null,
    entries: [],
    whenDurable: [],
    ownsProgress: false,
  };
}

/** Ends the turn: what is to be written goes out as one `persist`. */
export function flush(turn: Turn): void {
  const { state, entries, whenDurable, truncateFrom, hardStateChanged } = turn;
  if (!hardStateChanged && truncateFrom === null && entries.length + whenDurable.length === 0) {
    return;
  }
  state.ticket += 1;
  if (hardStateChanged) state.hardStateTicket = state.ticket;
  state.pending = push(state.pending, { ticket: state.ticket, index: state.log.lastIndex });
  turn.effects.push({
    type: "persist",
    ticket: state.ticket,
    hardState: hardStateChanged ? { term: state.currentTerm, votedFor: state.votedFor } : null,
    truncateFrom,
    entries,
    whenDurable,
  });
  turn.hardStateChanged = false;
  turn.truncateFrom = null;
  turn.entries = [];
  turn.whenDurable = [];
}

/**
 * Sends a message, but never before the term that it speaks of is durable (§5.2).
 *
 * `provenIndex`: what an acknowledgement promises; it waits for that entry too.
 */
export function send(turn: Turn, message: Message, provenIndex = 0): void {
  const { state } = turn;
  const isTermDurable = !turn.hardStateChanged && state.hardStateTicket <= state.durableTicket;
  if (isTermDurable && provenIndex <= state.log.durableIndex) {
    turn.effects.push({ type: "send", message });
  } else {
    // With nothing else to write this is an empty persist: durable after everything before it.
    turn.whenDurable.push(message);
  }
}

export function appendEntry(turn: Turn, entry: Entry): void {
  turn.state.log = append(turn.state.log, entry);
  turn.entries.push(entry);
}

/** Drops a conflicting suffix, and what writes on their way would have made certain of it. */
export function truncateFrom(turn: Turn, from: number): void {
  const { state } = turn;
  assert(from > state.commitIndex, `truncation from ${from}, ${state.commitIndex} is committed`);
  assert(turn.entries.length === 0, "truncation after an append in the same step");
  state.log = truncate(state.log, from);
  turn.truncateFrom = from;
  clampPending(turn, from - 1);
}

/** A write that is done later proves nothing about entries that took the place of those it wrote. */
export function clampPending(turn: Turn, index: number): void {
  const { state } = turn;
  const count = lengthOf(state.pending);
  let pending = keepFirst(state.pending, 0);
  for (let at = 0; at < count; at += 1) {
    const each = itemAt(state.pending, at);
    if (each === undefined) continue;
    pending = push(pending, { ticket: each.ticket, index: Math.min(each.index, index) });
  }
  state.pending = pending;
}

/** Takes note of durable writes. */
export function markDurable(turn: Turn, ticket: number): void {
  const { state } = turn;
  assert(ticket <= state.ticket, `persist ${ticket} was never asked for`);
  let durableIndex = state.log.durableIndex;
  let done = 0;
  for (;;) {
    const each = itemAt(state.pending, done);
    if (each === undefined || each.ticket > ticket) break;
    if (each.index > durableIndex) durableIndex = each.index;
    done += 1;
  }
  if (done > 0) state.pending = dropFirst(state.pending, done);
  if (ticket > state.durableTicket) state.durableTicket = ticket;
  if (durableIndex !== state.log.durableIndex) state.log = withDurable(state.log, durableIndex);
}

export function setHardState(turn: Turn, term: number, votedFor: MemberId | null): void {
  const { state } = turn;
  assert(
    term >= state.currentTerm && Number.isSafeInteger(term),
    `term ${term} after ${state.currentTerm}`,
  );
  state.currentTerm = term;
  state.votedFor = votedFor;
  turn.hardStateChanged = true;
}

export function setProgress(turn: Turn, id: MemberId, progress: Progress): void {
  const { state } = turn;
  if (!turn.ownsProgress) {
    state.progress = new Map(state.progress);
    turn.ownsProgress = true;
  }
  (state.progress as Map<MemberId, Progress>).set(id, progress);
}

/** A number from `min` to `max`, both included. */
export function draw(turn: Turn, min: number, max: number): number {
  const [value, random] = nextRandom(turn.state.random);
  turn.state.random = random;
  return min + (value % (max - min + 1));
}

/** Begins the wait for an election anew. */
export function waitForElection(turn: Turn): void {
  const { options, now } = turn.state;
  turn.state.waitSince = now;
  turn.state.waitTicks = draw(turn, options.electionTicksMin, options.electionTicksMax);
}

/** Far enough in the past that nothing counts from then. */
export const longAgo = -1_000_000_000;

/** The configured time in ticks, as long as the load of the machines asks for. */
export function scaled(state: RaftState, ticks: number): number {
  return ticks * state.timeoutMult;
}
