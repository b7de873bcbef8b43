import { recordEntry, shadowLastIndex, shadowTermAt, trimShadow, writeShadow } from "../ledger.ts";
import type { ProcessEffect } from "../process.ts";
import type { SimMember, World } from "../world.ts";
import { type Invariant, violated } from "./invariant.ts";

/**
 * I3: equal index and term on two members means equal entries up to there (Raft §5.3).
 *
 * Entries are compared where they are written, with the term before each; the log in memory must end where the
 * written one ends. This keeps the terms of each log, which other invariants read.
 */
export function logMatching(): Invariant {
  return {
    id: "I3",
    name: "log matching",
    afterStep(world, { member, input, after, effects }) {
      for (const effect of effects) follow(world, member, effect);
      if (input.type === "snapshotInstalled") member.isInstalling = false;
      const { firstIndex, lastIndex, lastTerm } = after.log;
      const { shadow } = member;
      if (firstIndex > shadow.baseIndex + 1) {
        const term = shadowTermAt(shadow, firstIndex - 1);
        if (term !== null) trimShadow(shadow, firstIndex - 1, term);
      }
      if (member.isInstalling) return;
      if (lastIndex !== shadowLastIndex(shadow))
        violated(
          "I3",
          `${member.id} has entries up to ${lastIndex}, and wrote up to ${shadowLastIndex(shadow)}`,
        );
      if (shadowTermAt(shadow, lastIndex) !== lastTerm)
        violated("I3", `${member.id} wrote another term than ${lastTerm} at ${lastIndex}`);
    },
    onStart(world, { id, disk }) {
      const { meta } = disk.snapshot;
      if (disk.firstIndex > meta.index + 1)
        violated("I3", `${id} has a hole between its snapshot and entry ${disk.firstIndex}`);
      let prev = disk.firstIndex === meta.index + 1 ? meta.term : null;
      for (const entry of disk.entries) {
        const wrong = prev === null ? null : recordEntry(world.ledger, entry, prev);
        if (wrong !== null) violated("I3", `${wrong}, on the disk of ${id}`);
        prev = entry.term;
      }
    },
  };
}

function follow(world: World, member: SimMember, effect: ProcessEffect): void {
  const { shadow } = member;
  if (effect.type === "installSnapshot") {
    const { index, term } = effect.snapshot;
    member.isInstalling = true;
    if (effect.keepLog) {
      trimShadow(shadow, index, term);
      return;
    }
    shadow.baseIndex = index;
    shadow.baseTerm = term;
    shadow.terms = [];
    return;
  }
  if (effect.type !== "persist") return;
  const wrong = writeShadow(shadow, world.ledger, effect.truncateFrom, effect.entries);
  if (wrong !== null) violated("I3", `${member.id}: ${wrong}`);
}
