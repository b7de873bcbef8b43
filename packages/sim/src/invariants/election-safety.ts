import { type Invariant, violated } from "./invariant.ts";

/** I1: at most one leader a term (Raft §5.2), over the whole run. */
export function electionSafety(): Invariant {
  const leaders = new Map<number, string>();
  return {
    id: "I1",
    name: "election safety",
    afterStep(_world, { after, before }) {
      if (after.role !== "leader") return;
      if (before.role === "leader" && before.currentTerm === after.currentTerm) return;
      const other = leaders.get(after.currentTerm);
      if (other !== undefined)
        violated("I1", `${after.id} leads term ${after.currentTerm}, and so did ${other}`);
      leaders.set(after.currentTerm, after.id);
    },
  };
}
