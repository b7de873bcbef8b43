/** How long a step into a new term may take before it is asked for again; ms. */
export const campaignAgainMs = 1_000;

/**
 * What becomes of a host's wish to own its log.
 *
 * `waits`: its member does not lead. `campaigns`: another host owned this term, and what it proposed last may be on its way
 * yet; the member has to step into a new term.
 */
export type OwnershipVerdict = "waits" | "campaigns" | "owns";

/** Which epochs of a member's log were owned by a host in its process: each by one host at most, in their order. */
export class LogOwnership {
  /** The last one; 0: none. */
  #epoch = 0;

  /** A host wants to own the log; `epoch` is the term in which its member leads and takes slots, or null. */
  claim(epoch: number | null): OwnershipVerdict {
    if (epoch === null) return "waits";
    if (epoch <= this.#epoch) return "campaigns";
    this.#epoch = epoch;
    return "owns";
  }

  /** Whether this is the epoch that was owned last. */
  isLast(epoch: number): boolean {
    return epoch === this.#epoch;
  }
}
