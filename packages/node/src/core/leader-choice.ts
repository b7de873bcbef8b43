/** What nodes answered when they were asked who leads: the address asked, and the address that it named or null. */
export type LeaderAnswers = ReadonlyMap<string, string | null>;

/**
 * The address that most nodes name; of equals the one that names itself, then the first as text.
 *
 * A deposed leader may name itself for a while, and those that have not heard yet may name a dead one: they are few, or
 * change their answer. Null when nobody names any.
 */
export function chooseLeader(answers: LeaderAnswers): string | null {
  const votes = new Map<string, number>();
  for (const named of answers.values()) {
    if (named !== null) votes.set(named, (votes.get(named) ?? 0) + 1);
  }
  const rank = (address: string): number =>
    (votes.get(address) ?? 0) * 2 + (answers.get(address) === address ? 1 : 0);
  const [best] = [...votes.keys()].sort((a, b) => rank(b) - rank(a) || (a < b ? -1 : 1));
  return best ?? null;
}
