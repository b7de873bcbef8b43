import { isRemovedSince } from "./commit.ts";
import { compact, emptyLog, termAt } from "./log.ts";
import { configurationsFrom, setConfigurations } from "./membership.ts";
import type { Message } from "./message.ts";
import type { SnapshotMeta } from "./snapshot.ts";
import type { ConfigurationAt } from "./state.ts";
import { clampPending, flush, send, type Turn } from "./turn.ts";

type Chunk = Extract<Message, { type: "snapshotChunk" }>;

/** Takes a piece of a snapshot (§7); pieces come in order, and the answer says which is wanted next. */
export function onSnapshotChunk(turn: Turn, message: Chunk): void {
  const { state } = turn;
  if (state.installing !== null) return;
  const { snapshot, offset, data, done } = message;
  if (snapshot.index <= state.commitIndex) {
    // It has all that. The leader must hear so, or it would send the same for ever.
    send(turn, response(turn, message, 0, true), snapshot.index);
    return;
  }
  const wanted = offsetWanted(turn, message);
  if (offset !== wanted) {
    send(turn, response(turn, message, wanted, false));
    return;
  }
  if (data.length === 0 && !done) return;
  turn.effects.push({ type: "receiveSnapshot", snapshot, offset, data });
  if (done) {
    install(turn, message);
    return;
  }
  state.incoming = { snapshot, from: message.from, offset: offset + data.length };
  send(turn, response(turn, message, offset + data.length, false));
}

/** Where a transfer that was interrupted goes on: the bytes of another sender may be others. */
function offsetWanted(turn: Turn, { snapshot, from }: Chunk): number {
  const { incoming } = turn.state;
  if (incoming === null || incoming.from !== from) return 0;
  const isSame =
    incoming.snapshot.index === snapshot.index && incoming.snapshot.term === snapshot.term;
  return isSame ? incoming.offset : 0;
}

function response(turn: Turn, message: Chunk, offset: number, installed: boolean): Message {
  return {
    type: "snapshotResponse",
    from: turn.state.id,
    to: message.from,
    term: turn.state.currentTerm,
    index: message.snapshot.index,
    offset,
    installed,
    round: message.round,
  };
}

function install(turn: Turn, message: Chunk): void {
  const { state } = turn;
  const { snapshot } = message;
  flush(turn);
  // An equal entry at its index: what comes after it agrees as well and was perhaps acknowledged (§7).
  const keepLog = termAt(state.log, snapshot.index) === snapshot.term;
  const atSnapshot: ConfigurationAt = {
    index: snapshot.index,
    configuration: snapshot.configuration,
  };
  const before = configurationsFrom(state.configurations, state.commitIndex).slice(0, 1);
  const after = keepLog ? state.configurations.filter((each) => each.index > snapshot.index) : [];
  if (keepLog) {
    state.log = compact(state.log, snapshot, snapshot.index + 1);
  } else {
    const durableIndex = Math.min(state.log.durableIndex, state.commitIndex);
    clampPending(turn, state.commitIndex);
    state.log = { ...emptyLog(snapshot), durableIndex };
  }
  setConfigurations(turn, [...before, atSnapshot, ...after]);
  state.commitIndex = snapshot.index;
  state.installing = snapshot;
  state.incoming = null;
  const whenDurable = [response(turn, message, 0, true)];
  turn.effects.push({ type: "installSnapshot", snapshot, keepLog, whenDurable });
}

/** The driver's state is that of the snapshot now, and durable. */
export function onSnapshotInstalled(turn: Turn, index: number): void {
  const { state } = turn;
  if (state.installing?.index !== index) return;
  state.installing = null;
  if (state.log.durableIndex < index) state.log = { ...state.log, durableIndex: index };
  if (isRemovedSince(state, index - 1)) turn.effects.push({ type: "removed" });
  setConfigurations(turn, configurationsFrom(state.configurations, index));
}

/** The driver saved a snapshot of its own; the log gives up what lies before `firstIndex`. */
export function onCompacted(turn: Turn, snapshot: SnapshotMeta, firstIndex: number): void {
  const { state } = turn;
  // One that another member sent may have overtaken it.
  if (state.installing !== null || snapshot.index < state.log.snapshot.index) return;
  state.log = compact(state.log, snapshot, firstIndex);
  setConfigurations(turn, configurationsFrom(state.configurations, snapshot.index));
}
