import { fromJSON, type GraphJson, toJSON } from "@halon/graph";
import {
  type Command,
  canonicalJson,
  compareText,
  type EventEnvelope,
  type Json,
} from "@halon/protocol";
import type { SavedMatching } from "@halon/rules";
import { z } from "zod";
import type { DeadLetter } from "./dead-letters.ts";
import { deepFreeze } from "./frozen.ts";
import { type CoordinatorState, emptyState } from "./state.ts";
import type { Timer } from "./timers.ts";

/** Of the snapshot's encoding; a coordinator reads its own version only. */
export const snapshotFormat = 1;

/** Our own bytes, which the store's checksums cover: what is inside the projections is not looked at again. */
const Items = z.array(z.unknown());
const Snapshot = z.strictObject({
  format: z.literal(snapshotFormat),
  index: z.number(),
  epoch: z.number(),
  logTime: z.number(),
  graph: z.unknown(),
  memories: z.array(z.tuple([z.string(), z.array(z.tuple([z.string(), z.unknown()]))])),
  matching: Items.default([]),
  timers: Items,
  outbox: Items,
  watermarks: z.array(
    z.tuple([z.string(), z.strictObject({ incarnation: z.number(), sequence: z.number() })]),
  ),
  clientIds: z.array(z.tuple([z.string(), z.number()])),
  deadLetters: Items,
  lettersDropped: z.number().default(0),
  retries: Items.default([]),
  kept: z.array(z.strictObject({ file: z.string(), events: Items })).default([]),
});

/** How many items of a list one piece of the text holds. */
const itemsInPiece = 128;

/** The canonical text of the state: equal states give equal text, whatever the way to them. */
export function encodeSnapshot(state: CoordinatorState): string {
  return [...captureSnapshot(state)].join("");
}

/**
 * The text of `encodeSnapshot` in pieces of some 10 KiB.
 *
 * The state is read before this returns, and may change while the pieces are taken: what it holds is replaced, not changed.
 */
export function captureSnapshot(state: CoordinatorState): Generator<string> {
  return pieces(projectionsOf(state));
}

/** All that a snapshot holds, as plain data: states are equal when these are. It stays as it is when the state changes. */
export function projectionsOf(state: CoordinatorState): Projections {
  return {
    clientIds: [...state.clientIds],
    deadLetters: [...state.deadLetters],
    epoch: state.epoch,
    graph: toJSON(state.graph),
    index: state.index,
    kept: state.kept.toJSON(),
    lettersDropped: state.lettersDropped,
    logTime: state.logTime,
    matching: state.matching.save(),
    memories: sorted(state.memories).map(([file, memory]) => ({ file, memory: sorted(memory) })),
    outbox: state.outbox.toJSON(),
    retries: [...state.retries],
    timers: state.timers.toJSON(),
    watermarks: sorted(state.watermarks),
  };
}

/** What a snapshot holds, under the names that it has in its text. */
export interface Projections {
  readonly clientIds: readonly unknown[];
  readonly deadLetters: readonly unknown[];
  readonly epoch: number;
  readonly graph: GraphJson;
  readonly index: number;
  readonly kept: readonly { readonly file: string; readonly events: readonly unknown[] }[];
  readonly lettersDropped: number;
  readonly logTime: number;
  readonly matching: SavedMatching;
  readonly memories: readonly { readonly file: string; readonly memory: readonly unknown[] }[];
  readonly outbox: readonly unknown[];
  readonly retries: readonly unknown[];
  readonly timers: readonly unknown[];
  readonly watermarks: readonly unknown[];
}

/** Members in the order of their names, as canonical JSON wants them. */
function* pieces(state: Projections): Generator<string> {
  yield* list('{"clientIds":', state.clientIds);
  yield* list(',"deadLetters":', state.deadLetters);
  yield `,"epoch":${canonicalJson(state.epoch)},"format":${snapshotFormat},"graph":{`;
  yield* list('"relations":', state.graph.relations);
  yield* list(',"resources":', state.graph.resources);
  yield `,"revision":${canonicalJson(state.graph.revision)}},"index":${canonicalJson(state.index)}`;
  yield ',"kept":[';
  for (const [position, { file, events }] of state.kept.entries()) {
    yield* list(`${position === 0 ? "" : ","}{"events":`, events);
    yield `,"file":${canonicalJson(file)}}`;
  }
  yield `],"lettersDropped":${canonicalJson(state.lettersDropped)}`;
  yield `,"logTime":${canonicalJson(state.logTime)}`;
  yield* list(',"matching":', state.matching);
  yield ',"memories":[';
  for (const [position, { file, memory }] of state.memories.entries()) {
    yield* list(`${position === 0 ? "" : ","}[${canonicalJson(file)},`, memory);
    yield "]";
  }
  yield* list('],"outbox":', state.outbox);
  yield* list(',"retries":', state.retries);
  yield* list(',"timers":', state.timers);
  yield* list(',"watermarks":', state.watermarks);
  yield "}";
}

function* list(before: string, items: readonly unknown[]): Generator<string> {
  yield `${before}[`;
  for (let start = 0; start < items.length; start += itemsInPiece) {
    const some = items.slice(start, start + itemsInPiece).map(canonicalJson);
    yield `${start === 0 ? "" : ","}${some.join(",")}`;
  }
  yield "]";
}

/** Throws when the text is not a snapshot of this format. */
export function decodeSnapshot(text: string): CoordinatorState {
  const snapshot = Snapshot.parse(JSON.parse(text));
  const state = emptyState(fromJSON(snapshot.graph));
  state.index = snapshot.index;
  state.epoch = snapshot.epoch;
  state.logTime = snapshot.logTime;
  for (const [file, memory] of snapshot.memories)
    state.memories.set(file, new Map(deepFreeze(memory) as [string, Json][]));
  state.matching.load(snapshot.matching as SavedMatching);
  for (const timer of snapshot.timers) state.timers.arm(timer as Timer);
  for (const command of snapshot.outbox) state.outbox.add(deepFreeze(command as Command));
  for (const [source, watermark] of snapshot.watermarks) state.watermarks.set(source, watermark);
  for (const [id, index] of snapshot.clientIds) state.clientIds.set(id, index);
  for (const { file, events } of snapshot.kept)
    for (const event of events) state.kept.add(file, deepFreeze(event as EventEnvelope));
  for (const letter of snapshot.deadLetters) state.deadLetters.push(letterOf(letter));
  state.lettersDropped = snapshot.lettersDropped;
  for (const letter of snapshot.retries) state.retries.push(letterOf(letter));
  return state;
}

/** Earlier snapshots did not say when, nor how often. */
function letterOf(saved: unknown): DeadLetter {
  const letter = saved as Partial<DeadLetter> & Pick<DeadLetter, "index" | "event" | "reason">;
  return deepFreeze({ time: 0, attempts: 1, ...letter });
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => compareText(a, b));
}
