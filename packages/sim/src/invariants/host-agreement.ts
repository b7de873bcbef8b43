import type { FoldedSlot } from "../host.ts";
import type { HostLedger } from "../ledger.ts";
import type { SimMember } from "../world.ts";
import { type Invariant, violated } from "./invariant.ts";

/**
 * I21: all hosts have the same slots at the same positions, each slot once (state machine safety of the hosts' log).
 *
 * A hash over all slots up to a position is compared there, so equal at one position is equal at all before it. This
 * keeps what is known of slots and appends, which the other rules of hosts read.
 */
export function hostAgreement(): Invariant {
  return {
    id: "I21",
    name: "hosts agree",
    afterStep({ ledger: { hosts } }, { member, effects }) {
      const host = member.process?.host ?? null;
      if (host === null) return;
      for (const effect of effects)
        if (effect.type === "hostAppend") {
          const { append } = effect;
          const known = { append, by: member.id, isRefused: false, position: 0 };
          hosts.appends.set(append.nonce, known);
        }
      for (const { position, chain } of host.loaded)
        if (position > 0 && hosts.slots[position]?.chain !== chain)
          violated("I21", `the host of ${member.id} has another state at ${position}`);
      for (const slot of host.folded) compare(hosts, member, slot);
    },
  };
}

function compare(hosts: HostLedger, { id }: SimMember, slot: FoldedSlot): void {
  const { position, epoch, nonce, chain } = slot;
  const known = hosts.slots[position];
  if (known !== undefined) {
    if (known.chain !== chain)
      violated("I21", `the host of ${id} has another log at ${position} than others`);
    return;
  }
  if (position !== hosts.lastPosition + 1)
    violated("I21", `the host of ${id} has slot ${position}, the last was ${hosts.lastPosition}`);
  hosts.slots[position] = { epoch, nonce, chain };
  hosts.lastPosition = position;
  const append = hosts.appends.get(nonce);
  if (append === undefined) violated("I21", `nobody appended slot ${position} of ${id}`);
  if (append.position !== 0)
    violated("I21", `slot ${append.position} is at ${position} of ${id} a second time`);
  append.position = position;
}
