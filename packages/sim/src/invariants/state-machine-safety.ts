import type { Configuration, RaftState } from "@halon/raft";
import { holdsDurably } from "../disk.ts";
import { shadowTermAt } from "../ledger.ts";
import type { SimMember, World } from "../world.ts";
import { type Invariant, violated } from "./invariant.ts";

/**
 * I5: no two members commit different entries at one index (Raft §5.4.3), and what a leader commits is on the disks
 * of a majority of each set of voters (§5.3, §6; RFC 0004, constraint 6).
 */
export function stateMachineSafety(): Invariant {
  return {
    id: "I5",
    name: "state machine safety",
    afterStep(world, { member, before, after }) {
      if (after.commitIndex === before.commitIndex) return;
      const { ledger } = world;
      for (let index = before.commitIndex + 1; index <= after.commitIndex; index++) {
        const term = shadowTermAt(member.shadow, index);
        if (index <= member.shadow.baseIndex) continue;
        if (term === null)
          violated("I5", `${member.id} commits entry ${index}, which it does not have`);
        const committed = ledger.committedTerms[index] ?? 0;
        if (committed === 0) ledger.committedTerms[index] = term;
        else if (committed !== term)
          violated(
            "I5",
            `${member.id} commits ${term}/${index}, ${committed}/${index} was committed`,
          );
      }
      if (after.commitIndex > ledger.committedIndex) ledger.committedIndex = after.commitIndex;
      if (after.role === "leader") checkQuorum(world, member, before, after);
    },
  };
}

function checkQuorum(world: World, member: SimMember, before: RaftState, after: RaftState): void {
  const { ledger } = world;
  const index = after.commitIndex;
  const term = ledger.committedTerms[index] ?? 0;
  const last = ledger.committedByTerm.get(after.currentTerm) ?? 0;
  if (index <= last || term === 0) return;
  ledger.committedByTerm.set(after.currentTerm, index);
  if (term !== after.currentTerm)
    violated(
      "I5",
      `${member.id} commits up to ${term}/${index}, of a term before ${after.currentTerm}`,
    );
  // A configuration that was appended in the same step counts after the commit, or before it.
  if (hasQuorum(world, before.configuration, index, term)) return;
  if (hasQuorum(world, after.configuration, index, term)) return;
  violated("I5", `${member.id} commits ${term}/${index}, which is not durable at a majority`);
}

function hasQuorum(
  world: World,
  { voters, outgoing }: Configuration,
  index: number,
  term: number,
): boolean {
  for (const set of [voters, outgoing]) {
    if (set.length === 0) continue;
    let holders = 0;
    for (const id of set) {
      const other = world.members[world.slots.get(id) ?? -1];
      if (other !== undefined && holdsDurably(other.disk, index, term)) holders += 1;
    }
    if (2 * holders <= set.length) return false;
  }
  return true;
}
