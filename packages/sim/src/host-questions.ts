import type { RecordsLeading } from "@halon/agency/core";
import type { Prng } from "./prng.ts";

/** What a host asks its member: does it lead in the term `epoch`? */
export interface LeadQuestion {
  /** Unique in a run. */
  readonly id: number;
  readonly epoch: number;
  /** Asked after the healing, of a member that leads in `epoch` as far as it knows. */
  readonly isHealing: boolean;
}

/** A turn of a host: what is unique to it, whether all is healed, and the term of its member. */
export interface HostTurnInput {
  readonly nonce: number;
  readonly isHealing: boolean;
  readonly term: number;
}

/** What the invariants see of the questions of one host. */
export interface QuestionsView {
  /** Those that are not answered. */
  readonly waitingCount: number;
  /** Whether it asks at all. */
  readonly isAsking: boolean;
  /** Last epoch in which it was told since the healing that its member leads. */
  readonly healedEpoch: number;
}

/** Questions that may wait at one host. */
const waitingMax = 50;

/**
 * The questions of one host about the leadership of its member, as the leases of exclusive services rest on them.
 *
 * It asks leaders that are and that are no more, and followers; mostly in the epoch that it saw in its last turn.
 */
export class HostQuestions implements QuestionsView {
  private readonly perMille: number;
  private readonly prng: Prng;
  private readonly waiting = new Map<number, LeadQuestion>();
  /** The last epoch in which it saw its member lead; 0: none. */
  private knownEpoch = 0;
  healedEpoch = 0;

  /** A question comes in `perMille` of a thousand turns. */
  constructor(perMille: number, prng: Prng) {
    this.perMille = perMille;
    this.prng = prng;
  }

  get waitingCount(): number {
    return this.waiting.size;
  }

  get isAsking(): boolean {
    return this.perMille > 0;
  }

  /** What it asks in this turn, if anything. */
  ask(
    leading: RecordsLeading | null,
    { term, nonce, isHealing }: HostTurnInput,
  ): LeadQuestion | null {
    const known = this.knownEpoch;
    if (leading !== null) this.knownEpoch = leading.epoch;
    if (!this.isAsking || this.waiting.size >= waitingMax) return null;
    const epoch = isHealing ? this.healingEpoch(leading) : this.drawEpoch(known, term);
    if (epoch === null) return null;
    const question = { id: nonce, epoch, isHealing };
    this.waiting.set(nonce, question);
    return question;
  }

  /** A question has its answer; what was asked. */
  answered(id: number, leads: boolean): LeadQuestion {
    const question = this.waiting.get(id);
    if (question === undefined) throw new Error(`question ${id} ends twice, or was never asked`);
    this.waiting.delete(id);
    if (leads && question.isHealing) this.healedEpoch = question.epoch;
    return question;
  }

  private healingEpoch(leading: RecordsLeading | null): number | null {
    if (leading === null || leading.epoch === this.healedEpoch) return null;
    return this.waiting.size === 0 ? leading.epoch : null;
  }

  private drawEpoch(known: number, term: number): number | null {
    if (!this.prng.chance(this.perMille)) return null;
    const lastSeen = known === 0 ? term : known;
    const kind = this.prng.pick(["seen", "seen", "seen", "term", "before", "after"] as const);
    switch (kind) {
      case "seen":
        return lastSeen;
      case "term":
        return term;
      case "before":
        return lastSeen - 1;
      case "after":
        return term + 1;
    }
  }
}
