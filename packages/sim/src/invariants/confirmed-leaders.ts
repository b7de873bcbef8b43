import type { MemberId, RaftState } from "@halon/raft";
import type { World } from "../world.ts";
import { type Invariant, violated } from "./invariant.ts";

/** A question of a host that its member has not answered. */
interface Asked {
  readonly epoch: number;
  /** Highest term in which anybody had been elected when it was asked. */
  readonly ledTerm: number;
  /** The member led in `epoch` when it was asked, or later. */
  hasLed: boolean;
}

/**
 * I27: a member that confirms to its host that it leads in an epoch was the leader of that term then or after the
 * question, and nobody had been elected in a higher term before the question (rfc/0008, Exclusive services).
 *
 * Who is elected later waits for a whole lease; so what is granted on the answer has ended before anything is moved.
 */
export function confirmedLeaders(): Invariant {
  const asked = new Map<MemberId, Map<number, Asked>>();
  return {
    id: "I27",
    name: "confirmed leaders",
    onStart(_world, { id }) {
      asked.delete(id);
    },
    afterStep({ ledger }, { member, before, after, effects }) {
      if ((member.process?.host ?? null) === null) return;
      const { id } = member;
      const open = asked.get(id) ?? new Map<number, Asked>();
      asked.set(id, open);
      for (const effect of effects)
        if (effect.type === "hostAsks") {
          const { epoch } = effect.question;
          open.set(effect.question.id, { epoch, ledTerm: ledger.ledTerm, hasLed: false });
        }
      for (const question of open.values())
        question.hasLed ||= leadsIn(before, question.epoch) || leadsIn(after, question.epoch);
      for (const effect of effects)
        if (effect.type === "hostAnswered") {
          const question = open.get(effect.question.id);
          open.delete(effect.question.id);
          if (question === undefined) violated("I27", `${id} answers what nobody asked`);
          if (effect.leads) checkConfirmed(id, question);
        }
    },
    atEnd(world) {
      const missing = whatQuestionsMiss(world);
      if (missing !== null) violated("I27", missing);
    },
  };
}

function checkConfirmed(id: MemberId, { epoch, ledTerm, hasLed }: Asked): void {
  if (!hasLed) violated("I27", `${id} confirms that it leads in term ${epoch}, and has not led it`);
  if (ledTerm > epoch)
    violated(
      "I27",
      `${id} confirms that it leads in term ${epoch}; ${ledTerm} had a leader before`,
    );
}

function leadsIn({ role, currentTerm }: RaftState, epoch: number): boolean {
  return role === "leader" && currentTerm === epoch;
}

/** What hosts were not told yet after the healing; null when there is nothing. */
export function whatQuestionsMiss({ members }: World): string | null {
  for (const { id, status, process } of members) {
    const questions = process?.host?.questions;
    if (status !== "up" || process === null || questions === undefined) continue;
    if (questions.waitingCount > 0)
      return `${id} has not answered ${questions.waitingCount} questions of its host`;
    const { role, currentTerm } = process.raft;
    if (role === "leader" && questions.isAsking && questions.healedEpoch !== currentTerm)
      return `the host of ${id} was not told that it leads in term ${currentTerm}`;
  }
  return null;
}
