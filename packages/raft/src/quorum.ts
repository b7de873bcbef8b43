import type { Configuration, MemberId } from "./configuration.ts";

/**
 * The highest index that a majority has reached.
 *
 * `indexes` holds one for each voter, 0 for one not heard from; it is sorted in place. 0 without voters. The caller
 * must still look at the term of the entry before it commits (§5.4.2, figure 8).
 */
export function majorityIndex(indexes: number[]): number {
  // Insertion sort, falling: seven voters at most, and a comparator would be called for each pair.
  for (let at = 1; at < indexes.length; at += 1) {
    const value = indexes[at] ?? 0;
    let to = at;
    while (to > 0 && (indexes[to - 1] ?? 0) < value) {
      indexes[to] = indexes[to - 1] ?? 0;
      to -= 1;
    }
    indexes[to] = value;
  }
  return indexes[Math.floor(indexes.length / 2)] ?? 0;
}

/**
 * The highest number that the configuration as a whole has reached: the lower one of its two majorities (§6).
 *
 * `numberOf` is given `context`, so that callers on the way of every answer need no closure.
 */
export function quorumIndex<C>(
  configuration: Configuration,
  numberOf: (context: C, member: MemberId) => number,
  context: C,
): number {
  const index = majorityOf(configuration.voters, numberOf, context);
  if (configuration.outgoing.length === 0) return index;
  return Math.min(index, majorityOf(configuration.outgoing, numberOf, context));
}

function majorityOf<C>(
  voters: readonly MemberId[],
  numberOf: (context: C, member: MemberId) => number,
  context: C,
): number {
  const numbers: number[] = [];
  for (const voter of voters) numbers.push(numberOf(context, voter));
  return majorityIndex(numbers);
}

/** Whether these members are a majority of the voters, of both sets when joint. */
export function hasQuorum(
  configuration: Configuration,
  counts: (member: MemberId) => boolean,
): boolean {
  return (
    isMajority(configuration.voters, counts) &&
    (configuration.outgoing.length === 0 || isMajority(configuration.outgoing, counts))
  );
}

function isMajority(voters: readonly MemberId[], counts: (member: MemberId) => boolean): boolean {
  let count = 0;
  for (const voter of voters) if (counts(voter)) count += 1;
  return count * 2 > voters.length;
}

/** What became of a vote. `lost`: whatever comes, no quorum can grant it any more. */
export function voteResult(
  configuration: Configuration,
  votes: ReadonlyMap<MemberId, boolean>,
): "won" | "lost" | "open" {
  if (hasQuorum(configuration, (member) => votes.get(member) === true)) return "won";
  return hasQuorum(configuration, (member) => votes.get(member) !== false) ? "open" : "lost";
}

/** Whether this member's vote counts. */
export function isVoter(configuration: Configuration, id: MemberId): boolean {
  return configuration.voters.includes(id) || configuration.outgoing.includes(id);
}
