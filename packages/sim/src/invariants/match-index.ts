import { holdsDurably } from "../disk.ts";
import { shadowTermAt } from "../ledger.ts";
import { type Invariant, violated } from "./invariant.ts";

/** I11: what a leader believes that a member holds is durable there (Raft figure 2, "matchIndex"). */
export function matchIndex(): Invariant {
  return {
    id: "I11",
    name: "match index",
    afterStep(world, { input, after, member }) {
      if (after.role !== "leader" || input.type !== "receive") return;
      const { type, from } = input.message;
      if (type !== "appendResponse" && type !== "snapshotResponse") return;
      const progress = after.progress.get(from);
      const other = world.members[world.slots.get(from) ?? -1];
      if (progress === undefined || other === undefined) return;
      // Who has moved on to a later term may have dropped what it acknowledged to this leader.
      if (other.disk.hardState.term > after.currentTerm) return;
      const index = progress.matchIndex;
      if (index === 0 || index <= member.shadow.baseIndex) return;
      const term = shadowTermAt(member.shadow, index);
      if (term === null || !holdsDurably(other.disk, index, term))
        violated(
          "I11",
          `${member.id} believes that ${from} holds ${term}/${index}, which it does not`,
        );
    },
  };
}
