import { createHash } from "node:crypto";
import {
  type CoordinatorState,
  decodeSnapshot,
  emptyState,
  encodeSnapshot,
  fold,
  type RuleSet,
  step,
} from "@halon/coordinator/core";
import { canonicalJson } from "@halon/protocol";
import type { Batch, History } from "./history.ts";
import { disordered, pick, type Random, seeded, shuffled } from "./prng.ts";

/** Decides the batches once more, from a state that another run of the first ones has left. */
function decide(state: CoordinatorState, rules: RuleSet, batches: readonly Batch[]): string[] {
  return batches.flatMap(({ inputs, stamp }) => {
    const { record } = step(state, rules, inputs, stamp);
    return record === undefined ? [] : [canonicalJson(record)];
  });
}

/** The state that the log alone gives. */
export function folded(log: readonly string[], state = emptyState()): CoordinatorState {
  for (const text of log) fold(state, JSON.parse(text));
  return state;
}

/**
 * The log of a coordinator that dies at a random batch and is followed by another one.
 *
 * The second starts from a snapshot of an earlier record and the records after it, as `halond` does.
 */
export function resumed({ seed, batches, log }: History, rules: RuleSet): string[] {
  const random = seeded(seed ^ 0x5eed);
  const until = pick(random, batches.length);
  const first = emptyState();
  const before = decide(first, rules, batches.slice(0, until));
  const snapshotAt = pick(random, before.length + 1);
  const snapshot = encodeSnapshot(folded(log.slice(0, snapshotAt)));
  const second = folded(before.slice(snapshotAt), decodeSnapshot(snapshot));
  return [...before, ...decide(second, rules, batches.slice(until))];
}

/** The log when everything without an order of its own comes in another one, and once by way of a snapshot. */
export function reordered(
  { seed, batches }: Pick<History, "seed" | "batches">,
  rules: RuleSet,
): string[] {
  const random = seeded(seed ^ 0x0dde);
  const mixed = batches.map((batch) => disordered(random, batch) as Batch);
  const until = pick(random, batches.length);
  const first = emptyState();
  const before = decide(first, rules, mixed.slice(0, until));
  const second = decodeSnapshot(disorderedSnapshot(random, encodeSnapshot(first)));
  return [...before, ...decide(second, rules, mixed.slice(until))];
}

/** Outbox, client ids and dead letters stand in their order; nothing else does. */
function disorderedSnapshot(random: Random, text: string): string {
  const snapshot = JSON.parse(text);
  const { graph } = snapshot;
  const mixed = {
    ...snapshot,
    graph: {
      ...graph,
      resources: shuffled(random, graph.resources),
      relations: shuffled(random, graph.relations),
    },
    memories: shuffled(random, snapshot.memories).map((entry) => {
      const [file, memory] = entry as [string, unknown[]];
      return [file, shuffled(random, memory)];
    }),
    timers: shuffled(random, snapshot.timers),
    watermarks: shuffled(random, snapshot.watermarks),
  };
  return JSON.stringify(mixed);
}

export function hashOf(log: readonly string[]): string {
  return createHash("sha256").update(log.join("\n")).digest("hex");
}
