import { type Invariant, violated } from "./invariant.ts";

/** I2: a leader changes and drops no entry of its own log (Raft §5.3). */
export function leaderAppendOnly(): Invariant {
  return {
    id: "I2",
    name: "leader append-only",
    afterStep(_world, { before, after, effects }) {
      if (before.role !== "leader" || after.role !== "leader") return;
      if (before.currentTerm !== after.currentTerm) return;
      if (after.log.lastIndex < before.log.lastIndex)
        violated(
          "I2",
          `leader ${after.id} went from ${before.log.lastIndex} to ${after.log.lastIndex}`,
        );
      for (const effect of effects)
        if (effect.type === "persist" && (effect.truncateFrom ?? Infinity) <= before.log.lastIndex)
          violated("I2", `leader ${after.id} truncated from ${effect.truncateFrom}`);
    },
  };
}
