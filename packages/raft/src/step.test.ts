import { expect, test } from "vitest";
import { describeEffect, describeInput } from "./describe.ts";
import { init } from "./init.ts";
import type { Input } from "./input.ts";
import { defaultOptions } from "./options.ts";
import type { RaftState } from "./state.ts";
import { step } from "./step.ts";
import { configurationOf } from "./testing.ts";

const start = () =>
  init({
    id: "a",
    options: defaultOptions,
    seed: 7,
    found: null,
    configuration: configurationOf(["a", "b", "c"]),
  });

const command = Uint8Array.of(1, 120);
const snapshot = { index: 1, term: 1, configuration: configurationOf(["a", "b", "c"]) };
const response = { type: "appendResponse", from: "b", to: "a", term: 1, round: 0 } as const;
const hint = { rejectedIndex: 0, hintIndex: 0, hintTerm: 0 };

/** A life with an input of each kind. */
const inputs: readonly Input[] = [
  { type: "load", timeoutMult: 2 },
  { type: "tick" },
  { type: "receive", message: { type: "timeoutNow", from: "b", to: "a", term: 0 } },
  { type: "persisted", ticket: 1 },
  {
    type: "receive",
    message: { type: "voteResponse", from: "b", to: "a", term: 1, preVote: false, granted: true },
  },
  { type: "read", id: 1 },
  { type: "propose", data: command },
  { type: "persisted", ticket: 3 },
  { type: "receive", message: { ...response, matchIndex: 2, ...hint } },
  { type: "changeMembers", change: { add: [{ id: "d", address: "d:1", voter: false }] } },
  { type: "transfer", to: "b" },
  { type: "compacted", snapshot, firstIndex: 2 },
  { type: "peerLost", peer: "b" },
  { type: "snapshotInstalled", index: 9 },
  { type: "stepDown" },
];

/** Freezes all but the arrays that newer lists grow behind the end of older ones (`vector.ts`). */
function freeze(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  if (value instanceof Uint8Array) return;
  const isVector = "items" in value && "start" in value && "end" in value;
  Object.freeze(value);
  for (const [key, each] of Object.entries(value)) if (!isVector || key !== "items") freeze(each);
}

function live(prepare: (state: RaftState) => void): readonly string[] {
  let state = start();
  const lines: string[] = [];
  for (const input of inputs) {
    prepare(state);
    const [next, effects] = step(state, input);
    lines.push(describeInput(input), ...effects.map((effect) => `  ${describeEffect(effect)}`));
    state = next;
  }
  return lines;
}

test("a step changes nothing of the state it is given", () => {
  expect(() => live(freeze)).not.toThrow();
});

test("equal states and inputs give equal effects", () => {
  expect(live(freeze)).toEqual(live(() => {}));
});

test("an old state may be stepped again, another way", () => {
  let state = start();
  for (const input of inputs.slice(0, 6)) [state] = step(state, input);
  const [one] = step(state, { type: "propose", data: Uint8Array.of(1, 1) });
  const [two] = step(state, { type: "propose", data: Uint8Array.of(1, 2) });
  expect(one.log.items.items[1]?.data).toEqual(Uint8Array.of(1, 1));
  expect(two.log.items.items[1]?.data).toEqual(Uint8Array.of(1, 2));
  expect(state.log.lastIndex).toBe(1);
});

test("every input has one line", () => {
  expect(inputs.map(describeInput)).toEqual([
    "load mult=2",
    "tick",
    "receive b→a timeoutNow term=0",
    "persisted ticket=1",
    "receive b→a voteResponse term=1 granted",
    "read id=1",
    "propose bytes=2",
    "persisted ticket=3",
    "receive b→a appendResponse term=1 match=2 round=0",
    "changeMembers add=d(learner)",
    "transfer to=b",
    "compacted snapshot=1/1 first=2",
    "peerLost peer=b",
    "snapshotInstalled index=9",
    "stepDown",
  ]);
});

test("a message for another member is left alone", () => {
  const state = start();
  const message = { type: "timeoutNow", from: "b", to: "c", term: 0 } as const;
  const [next, effects] = step(state, { type: "receive", message });
  expect([next, effects]).toEqual([state, []]);
});

test("a proposal of another kind than a command is a mistake of the caller", () => {
  expect(() => step(start(), { type: "propose", data: Uint8Array.of(2, 1) })).toThrow(
    "another kind",
  );
  expect(() => step(start(), { type: "propose", data: new Uint8Array() })).toThrow("another kind");
});
