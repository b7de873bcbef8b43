import type { MemberId } from "@halon/raft";
import { type Invariant, violated } from "./invariant.ts";

/**
 * I23: epochs never decrease with positions, and a slot of an epoch was appended under it by the leader of that term
 * (rfc/0006, constraints 2 and 3).
 */
export function hostEpochs(): Invariant {
  const leaders = new Map<number, MemberId>();
  let checked = 0;
  return {
    id: "I23",
    name: "epochs of slots",
    afterStep({ ledger: { hosts } }, { member, before, after }) {
      if (after.role === "leader") leaders.set(after.currentTerm, member.id);
      // Who wins and loses a term in one step is not seen to lead.
      else if (before.role === "leader") leaders.set(before.currentTerm, member.id);
      for (; checked < hosts.lastPosition; checked++) {
        const position = checked + 1;
        const slot = hosts.slots[position];
        const known = slot === undefined ? undefined : hosts.appends.get(slot.nonce);
        if (slot === undefined || known === undefined) return;
        const { epoch } = slot;
        const last = hosts.slots[checked]?.epoch ?? 0;
        if (epoch < last) violated("I23", `slot ${position} has epoch ${epoch} after ${last}`);
        if (known.append.epoch !== epoch)
          violated(
            "I23",
            `slot ${position} has epoch ${epoch}, appended under ${known.append.epoch}`,
          );
        if (leaders.get(epoch) !== known.by)
          violated(
            "I23",
            `slot ${position} of epoch ${epoch} is ${known.by}'s, ${leaders.get(epoch)} led`,
          );
      }
    },
  };
}
