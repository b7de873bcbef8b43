import { assert } from "./assert.ts";
import { isMember } from "./membership.ts";
import type { RaftState } from "./state.ts";
import type { Turn } from "./turn.ts";

/** Moves the commit index up; never down (§5.4.3). */
export function commitTo(turn: Turn, index: number): void {
  const { state } = turn;
  assert(
    index > state.commitIndex && index <= state.log.lastIndex,
    `commit of ${index} after ${state.commitIndex}, the log ends at ${state.log.lastIndex}`,
  );
  const before = state.commitIndex;
  state.commitIndex = index;
  turn.effects.push({ type: "commit", index });
  if (state.configurationIndex > before && isRemovedSince(state, before)) {
    turn.effects.push({ type: "removed" });
  }
}

/**
 * Whether a commit after index `before` has left this member out.
 *
 * A member that catches up passes configurations from before its time, which have no place for it either: it was
 * removed only when an earlier one had a place and none that it knows of has one since.
 */
export function isRemovedSince(state: RaftState, before: number): boolean {
  const { id, configurations, commitIndex, configuration } = state;
  if (isMember(configuration, id)) return false;
  const committed = configurations.findLast(({ index }) => index <= commitIndex);
  if (committed === undefined || committed.index <= before) return false;
  if (isMember(committed.configuration, id)) return false;
  return configurations.some(
    (each) => each.index < committed.index && isMember(each.configuration, id),
  );
}
