import { fromJSON, toJSON } from "@halon/graph";
import { type Command, canonicalJson, compareText, type Json } from "@halon/protocol";
import { z } from "zod";
import { deepFreeze } from "./frozen.ts";
import { type CoordinatorState, type DeadLetter, emptyState } from "./state.ts";
import type { Timer } from "./timers.ts";

/** Of the snapshot's encoding; a coordinator reads its own version only. */
export const snapshotFormat = 1;

const Snapshot = z.strictObject({
  format: z.literal(snapshotFormat),
  index: z.number(),
  epoch: z.number(),
  logTime: z.number(),
  graph: z.json(),
  memories: z.array(z.tuple([z.string(), z.array(z.tuple([z.string(), z.json()]))])),
  timers: z.array(z.json()),
  outbox: z.array(z.json()),
  watermarks: z.array(
    z.tuple([z.string(), z.strictObject({ incarnation: z.number(), sequence: z.number() })]),
  ),
  clientIds: z.array(z.tuple([z.string(), z.number()])),
  deadLetters: z.array(z.json()),
});

/** The canonical text of the state: equal states give equal text, whatever the way to them. */
export function encodeSnapshot(state: CoordinatorState): string {
  return canonicalJson({
    format: snapshotFormat,
    index: state.index,
    epoch: state.epoch,
    logTime: state.logTime,
    graph: toJSON(state.graph),
    memories: sorted(state.memories).map(([file, memory]) => [file, sorted(memory)]),
    timers: state.timers.toJSON(),
    outbox: state.outbox.toJSON(),
    watermarks: sorted(state.watermarks),
    clientIds: [...state.clientIds],
    deadLetters: state.deadLetters,
  });
}

/** Throws when the text is not a snapshot of this format. */
export function decodeSnapshot(text: string): CoordinatorState {
  const snapshot = Snapshot.parse(JSON.parse(text));
  const state = emptyState(fromJSON(snapshot.graph));
  state.index = snapshot.index;
  state.epoch = snapshot.epoch;
  state.logTime = snapshot.logTime;
  for (const [file, memory] of snapshot.memories)
    state.memories.set(file, new Map<string, Json>(deepFreeze(memory)));
  for (const timer of snapshot.timers) state.timers.arm(timer as unknown as Timer);
  for (const command of snapshot.outbox)
    state.outbox.add(deepFreeze(command as unknown as Command));
  for (const [source, watermark] of snapshot.watermarks) state.watermarks.set(source, watermark);
  for (const [id, index] of snapshot.clientIds) state.clientIds.set(id, index);
  for (const letter of snapshot.deadLetters)
    state.deadLetters.push(letter as unknown as DeadLetter);
  return state;
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => compareText(a, b));
}
