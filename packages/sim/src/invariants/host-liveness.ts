import type { World } from "../world.ts";
import { type Invariant, violated } from "./invariant.ts";

/** I26: after the healing the host of the leader can append. */
export function hostLiveness(): Invariant {
  return {
    id: "I26",
    name: "liveness of hosts",
    atEnd(world) {
      const missing = whatHostsMiss(world);
      if (missing !== null) violated("I26", missing);
    },
  };
}

/** What a host could not do yet; null when there is nothing. */
export function whatHostsMiss({ members }: World): string | null {
  for (const { id, status, process } of members) {
    if (status !== "up" || process?.raft.role !== "leader" || process.host === null) continue;
    const { currentTerm } = process.raft;
    if (process.host.healedEpoch !== currentTerm)
      return `the host of ${id} has appended nothing in term ${currentTerm}`;
  }
  return null;
}
