import { canonicalJson, defineEvent, type Json } from "@halon/protocol";
import {
  absence,
  aggregate,
  count,
  debounce,
  defineRules,
  indexRules,
  join,
  on,
  type Rules,
  sequence,
  sliding,
  tumbling,
  z,
} from "@halon/rules";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fold } from "./fold.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot.ts";
import { type CoordinatorState, emptyState } from "./state.ts";
import { type RuleSet, step } from "./step.ts";

const schema = z.strictObject({ of: z.string(), n: z.number() });
const One = defineEvent({ type: "One", schema });
const Two = defineEvent({ type: "Two", schema });
const Told = defineEvent({ type: "Told", schema: z.strictObject({ text: z.string() }) });

const by = (event: { readonly of: string }) => event.of;
const tell =
  (rule: string) =>
  ({
    match,
    publish,
  }: {
    match: { key: string };
    publish: (type: typeof Told, data: { text: string }) => void;
  }) =>
    publish(Told, { text: `${rule} ${canonicalJson(match)}` });

const rules = defineRules(
  {
    often: on(count(One, { atLeast: 3, within: 50, by })).do(tell("often")),
    inOrder: on(sequence([One, Two], { within: 30, by })).do(tell("inOrder")),
    missing: on(absence(Two, { after: One, within: 20, by })).do(tell("missing")),
    calm: on(debounce(One, { quiet: 15, by })).do(tell("calm")),
    pairs: on(join(One, Two, { on: [by, by], within: 25 })).do(tell("pairs")),
    load: on(sliding(One, { within: 40, by, aggregate: { mean: aggregate.mean((e) => e.n) } }))
      .where(({ match }) => match.values.mean > 5)
      .do(tell("load")),
    report: on(tumbling(One, { every: 30, aggregate: { sum: aggregate.sum((e) => e.n) } })).do(
      tell("report"),
    ),
  },
  { events: [Told] },
);

const ruleSet: RuleSet = {
  index: indexRules([{ name: "file", rules }]),
  declared: new Map([One, Two].map(({ type, version }) => [type, { version, schema }])),
};

/** A state in which the file is in the graph. */
function begun(file: Rules = rules): CoordinatorState {
  const state = emptyState();
  const patterns = Object.fromEntries(
    Object.entries(file.rules).flatMap(([name, { pattern }]) =>
      pattern === undefined ? [] : [[name, pattern.description]],
    ),
  );
  const transaction = state.graph.begin();
  transaction.update.put("RuleFile", "file", {
    blob: "0".repeat(64),
    rules: Object.keys(file.rules),
    events: [],
    patterns,
  });
  transaction.commit();
  return decodeSnapshot(encodeSnapshot(withPatterns(state)));
}

function withPatterns(state: CoordinatorState): CoordinatorState {
  const file = state.graph.get("RuleFile", "file");
  const patterns = Object.entries(file?.attributes.patterns ?? {});
  state.matching.bring(new Map(patterns.map(([rule, pattern]) => [`file/${rule}`, pattern])));
  return state;
}

type Happens = readonly [gap: number, type: "One" | "Two", of: string, n: number];

interface Played {
  readonly told: readonly string[];
  readonly state: CoordinatorState;
}

/** Decides a history; before step `cut` the coordinator dies, and another goes on from what is durable. */
function play(history: readonly Happens[], cut = -1): Played {
  let state = begun();
  let follower = begun();
  const told: string[] = [];
  let logTime = 0;
  const decide = (inputs: Parameters<typeof step>[2]): void => {
    const { record } = step(state, ruleSet, inputs, { epoch: 1, logTime, wallTime: 0 });
    if (record === undefined) return;
    fold(follower, JSON.parse(canonicalJson(record)));
    for (const { event } of record.decisions)
      if (event.type === "Told") told.push((event.data as { text: string }).text);
  };
  history.forEach(([gap, type, of, n], position) => {
    if (position === cut) {
      state = follower;
      follower = decodeSnapshot(encodeSnapshot(follower));
    }
    logTime += gap;
    const event = { type, version: 1, data: { of, n } as Json };
    decide([{ type: "client", id: `e${position}`, event }]);
  });
  for (const later of [40, 80]) {
    logTime += later;
    decide([]);
  }
  expect(encodeSnapshot(follower)).toBe(encodeSnapshot(state));
  return { told, state };
}

const histories = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 12 }),
    fc.constantFrom("One" as const, "Two" as const),
    fc.constantFrom("a", "b"),
    fc.integer({ min: 0, max: 9 }),
  ),
  { maxLength: 25 },
);

test("folding the records gives the windows of the one who decided, and the next one goes on from them", () => {
  fc.assert(
    fc.property(histories, fc.nat(24), (history, cut) => {
      expect(play(history, cut).told).toEqual(play(history).told);
    }),
    { numRuns: 60 },
  );
});

test("what an event gave to patterns is in its decision, and it is no dead letter", () => {
  const { state, told } = play([
    [1, "One", "a", 3],
    [5, "Two", "a", 1],
  ]);
  expect(state.deadLetters.filter(({ event }) => event.type !== "Told")).toEqual([]);
  expect(told.map((text) => text.slice(0, text.indexOf(" ")))).toEqual([
    "inOrder",
    "pairs",
    "calm",
    "report",
  ]);
});

test("an event that no part of a pattern takes is a dead letter", () => {
  const picky = defineRules({
    only: on(count(One, { atLeast: 1, within: 1, where: (e) => e.n > 5 })).do(() => undefined),
  });
  const state = begun(picky);
  const set = { ...ruleSet, index: indexRules([{ name: "file", rules: picky }]) };
  const event = { type: "One", version: 1, data: { of: "a", n: 1 } };
  step(state, set, [{ type: "client", id: "e", event }], { epoch: 1, logTime: 1, wallTime: 0 });
  expect(state.deadLetters).toMatchObject([{ reason: "no condition of the 1 rules on One held" }]);
});

test("a key that cannot be made fails the rule, and says so", () => {
  const wrong = defineRules({
    only: on(count(One, { atLeast: 1, within: 1, by: () => ({}) as never })).do(() => undefined),
  });
  const state = begun(wrong);
  const set = { ...ruleSet, index: indexRules([{ name: "file", rules: wrong }]) };
  const event = { type: "One", version: 1, data: { of: "a", n: 1 } };
  const { record } = step(state, set, [{ type: "client", id: "e", event }], {
    epoch: 1,
    logTime: 1,
    wallTime: 0,
  });
  expect(record?.decisions[1]?.event).toMatchObject({
    type: "RuleFailed",
    data: { reason: "TypeError: the key of an event is object, not a text or number" },
  });
});
