import type { Configuration, MemberId, RaftState } from "@halon/raft";
import type { AgencyAnswer } from "./request.ts";
import { commitTimeoutMs } from "./waiting.ts";

/** An answer that is due. */
export interface Due {
  readonly id: number;
  readonly answer: AgencyAnswer;
}

interface Waiting {
  readonly id: number;
  readonly sinceMs: number;
}

/** Changes of members and of the leader that wait to take place; few at a time, so they are looked at one by one. */
export class Handovers {
  #changes: (Waiting & { readonly index: number })[] = [];
  #transfers: (Waiting & { readonly to: MemberId; readonly term: number })[] = [];

  get count(): number {
    return this.#changes.length + this.#transfers.length;
  }

  /** Waits until the change proposed at raft's `index`, and the way out of its joint configuration, are committed. */
  forChange(id: number, sinceMs: number, index: number): void {
    this.#changes.push({ id, sinceMs, index });
  }

  /** Waits until `to` leads. */
  forLeader(id: number, sinceMs: number, to: MemberId, term: number): void {
    this.#transfers.push({ id, sinceMs, to, term });
  }

  /** A configuration is committed at raft's `index`. */
  configured(configuration: Configuration, index: number): readonly Due[] {
    if (configuration.outgoing.length > 0) return [];
    const due = this.#changes.filter((change) => change.index <= index);
    this.#changes = this.#changes.filter((change) => change.index > index);
    return due.map(({ id }) => ({ id, answer: { type: "done" } }));
  }

  /** Looks at what became of transfers. */
  transfersDue(raft: RaftState): readonly Due[] {
    const due: Due[] = [];
    this.#transfers = this.#transfers.filter(({ id, to, term }) => {
      const answer = transferAnswer(raft, to, term);
      if (answer !== null) due.push({ id, answer });
      return answer === null;
    });
    return due;
  }

  late(ms: number): readonly Due[] {
    const isLate = ({ sinceMs }: Waiting): boolean => sinceMs + commitTimeoutMs <= ms;
    const due = [...this.#changes, ...this.#transfers].filter(isLate);
    this.#changes = this.#changes.filter((change) => !isLate(change));
    this.#transfers = this.#transfers.filter((transfer) => !isLate(transfer));
    return due.map(({ id }) => ({ id, answer: { type: "notCommitted" } }));
  }

  /** Leadership is lost: of changes nothing is known here any more; of transfers that is what was asked for. */
  lost(): readonly Due[] {
    const due = this.#changes;
    this.#changes = [];
    return due.map(({ id }) => ({ id, answer: { type: "lostLeadership" } }));
  }

  /** All, because this replica ends. */
  all(): readonly Due[] {
    const due = [...this.#changes, ...this.#transfers];
    this.#changes = [];
    this.#transfers = [];
    return due.map(({ id }) => ({ id, answer: { type: "lostLeadership" } }));
  }
}

/** Null while nothing is decided. */
function transferAnswer(raft: RaftState, to: MemberId, term: number): AgencyAnswer | null {
  if (raft.currentTerm > term) {
    if (raft.leaderId === null) return null;
    return raft.leaderId === to ? { type: "done" } : { type: "lostLeadership" };
  }
  if (raft.role !== "leader" || raft.transferTo === to) return null;
  const message = `${to} did not take over in time; this member leads on.`;
  return { type: "refused", reason: "behind", message };
}
