import { type Invariant, violated } from "./invariant.ts";

/** I15: while the lease of a leader holds, nobody else is elected (thesis §6.4.1). */
export function leaseSafety(): Invariant {
  return {
    id: "I15",
    name: "leases exclude other leaders",
    afterStep({ members }, { before, after }) {
      if (after.options.leaseDrift === null || after.role !== "leader") return;
      if (before.role === "leader" && before.currentTerm === after.currentTerm) return;
      for (const { process } of members) {
        if (process === null || process.raft.id === after.id) continue;
        const { id, role, leaseVoid, leaseUntil, now } = process.raft;
        if (role === "leader" && !leaseVoid && now < leaseUntil)
          violated("I15", `${after.id} is elected within the lease of ${id}`);
      }
    },
  };
}
