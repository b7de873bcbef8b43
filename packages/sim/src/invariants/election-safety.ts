import type { Configuration } from "@halon/raft";
import { type Invariant, violated } from "./invariant.ts";

/** I1: at most one leader a term (Raft §5.2), over the whole run, elected by a majority of each set of voters (§6). */
export function electionSafety(): Invariant {
  const leaders = new Map<number, string>();
  /** Member and term → for whom it spoke: for another by its vote, for itself by asking. */
  const votes = new Map<string, string>();
  return {
    id: "I1",
    name: "election safety",
    afterStep({ ledger }, { after, before }) {
      if (after.role !== "leader") return;
      if (before.role === "leader" && before.currentTerm === after.currentTerm) return;
      const { id, currentTerm: term } = after;
      const other = leaders.get(term);
      if (other !== undefined) violated("I1", `${id} leads term ${term}, and so did ${other}`);
      leaders.set(term, id);
      ledger.ledTerm = Math.max(ledger.ledTerm, term);
      const isFor = (voter: string): boolean =>
        voter === id || votes.get(`${voter} ${term}`) === id;
      if (!isElected(before.configuration, isFor))
        violated("I1", `${id} leads term ${term} without a majority of votes`);
    },
    beforeSend(_world, { id }, _incarnation, message) {
      if (message.type === "voteResponse" && message.granted && !message.preVote)
        votes.set(`${id} ${message.term}`, message.to);
    },
  };
}

function isElected(
  { voters, outgoing }: Configuration,
  isFor: (voter: string) => boolean,
): boolean {
  return [voters, outgoing].every(
    (set) => set.length === 0 || 2 * set.filter(isFor).length > set.length,
  );
}
