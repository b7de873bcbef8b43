import type { GraphView } from "@halon/protocol";
import { watchersOf } from "./watchers.ts";

/** Heard so lately, a node lives, whatever this observer has missed since; ms. */
const aliveMs = 500;
/** Whom it has not heard for longer it may not watch any more; ms. */
const watchedMs = 10_000;
/** An observer that was late within this time cannot say who is silent; ms. */
const doubtMs = 2_000;

/** To whom a node sends its beats, and whose it takes. */
export interface BeatPlan {
  /** Nodes that get the beats of this one. */
  readonly targets: readonly { readonly node: string; readonly address: string }[];
  /** All other nodes, with the incarnation below which their beats are old. */
  readonly known: ReadonlyMap<string, number>;
  /** Who gets the beats of each node besides the leader. */
  readonly observers: ReadonlyMap<string, readonly string[]>;
}

/** Beats go to the leader and to those who watch the node; a leader's to all that are not down. */
export function beatPlanOf(view: GraphView, self: string, leader: string | undefined): BeatPlan {
  const observers = watchersOf(view);
  const others = view.list("Node").filter(({ id }) => id !== self);
  const hearers = new Set([leader, ...(observers.get(self) ?? [])]);
  return {
    targets: others
      .filter(({ id, attributes }) =>
        leader === self ? attributes.state !== "down" : hearers.has(id),
      )
      .map(({ id, attributes }) => ({ node: id, address: attributes.address })),
    known: new Map(others.map(({ id, attributes }) => [id, attributes.incarnation])),
    observers,
  };
}

/** What an observer has seen of another node, and of itself; monotonic ms. */
export interface Sight {
  /** When the last beat of the node came in. */
  readonly heardAt: number;
  /** When this observer was late in seeing beats for the last time. */
  readonly lateAt: number;
}

/** How old the last beat of a node is, as an answer to whoever asks; null: this observer cannot say. */
export function opinionAgeMs({ heardAt, lateAt }: Sight, now: number): number | null {
  const ageMs = now - heardAt;
  const isDoubtful = ageMs >= aliveMs && now - lateAt < doubtMs;
  return isDoubtful || ageMs >= watchedMs ? null : ageMs;
}
