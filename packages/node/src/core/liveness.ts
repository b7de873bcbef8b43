/** A node whose link is gone this long is down. */
export const lostAfterMs = 1_000;
/** Nodes have this long to come to a new leader. */
export const graceMs = 4_000;

/** What the tracking node concludes about another. */
export interface Observation {
  readonly type: "NodeSuspected" | "NodeLost";
  readonly node: string;
  readonly incarnation: number;
  readonly reason: string;
}

interface Watched {
  readonly incarnation: number;
  /** Undefined while it is attached. */
  readonly gone: { readonly lostAt: number; readonly reason: string } | undefined;
}

/** Which nodes are attached, and since when not. `now` is monotonic, in ms. */
export class Liveness {
  readonly #nodes = new Map<string, Watched>();

  isAttached(node: string): boolean {
    const watched = this.#nodes.get(node);
    return watched !== undefined && watched.gone === undefined;
  }

  attached(): readonly string[] {
    return [...this.#nodes].flatMap(([node, { gone }]) => (gone === undefined ? [node] : []));
  }

  attach(node: string, incarnation: number): void {
    this.#nodes.set(node, { incarnation, gone: undefined });
  }

  /** A node of the graph that has not attached yet, when this one begins to lead. */
  expect(node: string, incarnation: number, now: number): void {
    if (this.#nodes.has(node)) return;
    const reason = "it did not come to the new leader";
    this.#nodes.set(node, { incarnation, gone: { lostAt: now + graceMs, reason } });
  }

  detach(node: string, reason: string, now: number): readonly Observation[] {
    const watched = this.#nodes.get(node);
    if (watched === undefined || watched.gone !== undefined) return [];
    const { incarnation } = watched;
    this.#nodes.set(node, { incarnation, gone: { lostAt: now + lostAfterMs, reason } });
    return [{ type: "NodeSuspected", node, incarnation, reason }];
  }

  /** Nodes that have been gone for too long; each is told once. */
  tick(now: number): readonly Observation[] {
    const lost: Observation[] = [];
    for (const [node, { incarnation, gone }] of this.#nodes) {
      if (gone === undefined || gone.lostAt > now) continue;
      this.#nodes.delete(node);
      lost.push({ type: "NodeLost", node, incarnation, reason: gone.reason });
    }
    return lost;
  }

  /** When `tick` has something to say next. */
  nextAt(): number | undefined {
    const times = [...this.#nodes.values()].flatMap(({ gone }) =>
      gone === undefined ? [] : [gone.lostAt],
    );
    return times.length === 0 ? undefined : Math.min(...times);
  }
}
