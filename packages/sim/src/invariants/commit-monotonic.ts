import { type Invariant, violated } from "./invariant.ts";

/** I6: in one incarnation the commit index only grows; applied <= committed <= last entry. */
export function commitMonotonic(): Invariant {
  return {
    id: "I6",
    name: "commit index only grows",
    afterStep(_world, { member, before, after }) {
      if (after.commitIndex < before.commitIndex)
        violated(
          "I6",
          `${member.id}: commit index from ${before.commitIndex} to ${after.commitIndex}`,
        );
      if (after.commitIndex > after.log.lastIndex)
        violated("I6", `${member.id}: committed ${after.commitIndex} of ${after.log.lastIndex}`);
      const applied = member.process?.appliedIndex ?? 0;
      if (applied > after.commitIndex)
        violated("I6", `${member.id}: applied ${applied}, committed ${after.commitIndex}`);
    },
  };
}
