/** Throws when an invariant of the algorithm is broken: the member must not go on. */
export function assert(condition: boolean, broken: string): asserts condition {
  if (!condition) throw new Error(`raft: ${broken}`);
}
