import type { HostAppend } from "../host.ts";
import type { HostLedger } from "../ledger.ts";
import type { SimMember } from "../world.ts";
import { type Invariant, violated } from "./invariant.ts";

/**
 * I22: an append answered committed is at its position and stays; of one that was refused nothing is ever there.
 * Nothing is refused that a leader must take (rfc/0006, Records in the agency).
 */
export function hostAnswers(): Invariant {
  return {
    id: "I22",
    name: "answers to hosts",
    afterStep({ ledger: { hosts } }, { member, effects }) {
      const host = member.process?.host ?? null;
      if (host === null) return;
      let opened: HostAppend | null = null;
      for (const effect of effects) {
        if (effect.type === "hostAppend" && effect.isOpen) opened = effect.append;
        if (effect.type !== "hostAppended") continue;
        const { append, answer } = effect;
        if (answer.type === "committed") checkCommitted(hosts, member, append);
        else if (answer.type !== "lostLeadership") refuse(hosts, member, append, answer.type);
        const isTaken = opened === append && !append.isProbe;
        if (isTaken && (answer.type === "fenced" || answer.type === "conflict"))
          violated("I22", `${member.id} leads and refuses ${textOf(append)}: ${answer.type}`);
      }
      for (const { nonce, position } of host.folded)
        if (hosts.appends.get(nonce)?.isRefused === true)
          violated("I22", `slot ${position} of ${member.id} was refused`);
    },
    atEnd({ ledger: { hosts }, members }) {
      for (const { id, process, status } of members) {
        if (status !== "up" || process?.raft.role !== "leader" || process.host === null) continue;
        if (process.host.position < hosts.acknowledgedPosition)
          violated(
            "I22",
            `${id} ends at ${process.host.position} of ${hosts.acknowledgedPosition}`,
          );
      }
    },
  };
}

function checkCommitted(hosts: HostLedger, { id }: SimMember, append: HostAppend): void {
  if (append.isProbe) violated("I22", `${id} answers the wrong ${textOf(append)} committed`);
  if (hosts.slots[append.position]?.nonce !== append.nonce)
    violated("I22", `${id} answers ${textOf(append)} committed, which is not there`);
  hosts.acknowledgedPosition = Math.max(hosts.acknowledgedPosition, append.position);
}

function refuse(hosts: HostLedger, { id }: SimMember, append: HostAppend, why: string): void {
  const known = hosts.appends.get(append.nonce);
  if (known === undefined)
    violated("I22", `${id} refuses ${textOf(append)}, which nobody asked for`);
  if (known.position !== 0)
    violated("I22", `${id} refuses ${textOf(append)} as ${why}, and it is at ${known.position}`);
  known.isRefused = true;
}

function textOf({ position, epoch, nonce }: HostAppend): string {
  return `slot ${position} of epoch ${epoch}, nonce ${nonce}`;
}
