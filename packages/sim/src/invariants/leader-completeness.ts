import { shadowTermAt } from "../ledger.ts";
import { type Invariant, violated } from "./invariant.ts";

/**
 * I4: an entry that was committed in a term is in the log of the leader of every later one (Raft §5.4).
 *
 * The last such entry is enough, as log matching holds for all before it.
 */
export function leaderCompleteness(): Invariant {
  return {
    id: "I4",
    name: "leader completeness",
    afterStep({ ledger }, { member, before, after }) {
      if (after.role !== "leader" || before.role === "leader") return;
      let needed = 0;
      for (const [term, index] of ledger.committedByTerm)
        if (term < after.currentTerm && index > needed) needed = index;
      if (needed === 0 || needed <= member.shadow.baseIndex) return;
      const term = shadowTermAt(member.shadow, needed);
      if (term !== ledger.committedTerms[needed])
        violated(
          "I4",
          `${member.id} leads term ${after.currentTerm} without entry ${ledger.committedTerms[needed]}/${needed}, which is committed`,
        );
    },
  };
}
