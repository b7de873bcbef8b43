/** A supervisor that has not looked for this long, while its node goes on, has ended or hangs. */
export const supervisorSilentMs = 1_500;
/** Turns of the node's main thread meanwhile that show that the node itself goes on. */
const mainTurnsMin = 10;

/** What a beat says of a node's supervisor. Counters are of 32 bits, and wrap. */
export interface SupervisorBeat {
  readonly incarnation: number;
  /** The supervisor's last start, as far as the watcher knows. */
  readonly start: number;
  readonly main: number;
  readonly supervisor: number;
  /** Monotonic, in ms. */
  readonly at: number;
}

interface Seen {
  readonly last: SupervisorBeat;
  readonly isTold: boolean;
}

/** Watches the supervisors of other nodes by the counters in their beats. */
export class SupervisorWatch {
  readonly #seen = new Map<string, Seen>();

  /** Why the supervisor of the node must be started again, said once until it looks again; null when it need not. */
  heard(node: string, beat: SupervisorBeat): string | null {
    const seen = this.#seen.get(node);
    if (
      seen === undefined ||
      seen.last.incarnation !== beat.incarnation ||
      // Another watcher was first, and it has started again: what it did before says nothing of it.
      seen.last.start !== beat.start ||
      seen.last.supervisor !== beat.supervisor
    ) {
      this.#seen.set(node, { last: beat, isTold: false });
      return null;
    }
    const silentMs = beat.at - seen.last.at;
    const mainTurns = (beat.main - seen.last.main) >>> 0;
    if (seen.isTold || silentMs < supervisorSilentMs || mainTurns < mainTurnsMin) return null;
    this.#seen.set(node, { ...seen, isTold: true });
    return `it has not looked at its services for ${Math.round(silentMs)} ms, while its node has turned ${mainTurns} times`;
  }

  /** Nodes that are not watched any more are forgotten. */
  keep(nodes: ReadonlySet<string>): void {
    for (const node of this.#seen.keys()) if (!nodes.has(node)) this.#seen.delete(node);
  }
}
