import { canonicalJson, type DecisionRecord, type Json } from "@halon/protocol";
import { count, defineEvent, defineRules, on, type Rules, z } from "@halon/rules";
import { expect, test } from "vitest";
import { clusterSpec, hashLike } from "../../testdata/samples.ts";
import { ruleSet, TestCluster } from "../../testdata/test-cluster.ts";
import { deadLettersMax, letterList, lettersInRecordMax } from "./dead-letters.ts";
import { fold } from "./fold.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot.ts";
import { type CoordinatorState, emptyState } from "./state.ts";

const Told = defineEvent({ type: "Told", schema: z.object({ n: z.number() }) });
const Asked = defineEvent({ type: "Asked", schema: z.object({ n: z.number() }) });
const Unheard = defineEvent({ type: "Unheard", schema: z.object({ n: z.number() }) });

/** Counts what each rule did in the memory of the file, where a second time would show. */
function counting(bad: (n: number) => boolean): Rules {
  return defineRules({
    acts: on(Told).do(({ event, memory }) =>
      memory.set(`acts-${event.n}`, times(memory, "acts", event.n)),
    ),
    throws: on(Told).do(({ event, memory }) => {
      if (bad(event.n)) throw new Error(`cannot take ${event.n}`);
      memory.set(`throws-${event.n}`, times(memory, "throws", event.n));
    }),
    asks: on(Asked).do(({ event, publish }) => publish(Unheard, event)),
  });
}

function times(memory: { get(key: string): Json | undefined }, rule: string, n: number): number {
  return Number(memory.get(`${rule}-${n}`) ?? 0) + 1;
}

function file(name: string, types: readonly (readonly [type: string, version: number])[]) {
  const events = types.map(([type, version]) => ({ type, version, schema: {} }));
  return { name, blob: hashLike(name), rules: [], events, resources: {} };
}

const inGraph = [
  file("mine", [
    ["Told", 1],
    ["Asked", 1],
  ]),
];

function begun(rules: Rules): TestCluster {
  const cluster = new TestCluster({ mine: rules });
  cluster.apply(clusterSpec([], { rules: inGraph }));
  return cluster;
}

function letters({ state }: { readonly state: CoordinatorState }) {
  return state.deadLetters.map(({ event, rule, attempts, reason }) => [
    `${event.type} ${JSON.stringify(event.data)}`,
    rule ?? "-",
    attempts,
    reason,
  ]);
}

function idOf(cluster: TestCluster, at = 0): string {
  return cluster.state.deadLetters[at]?.event.id ?? "";
}

function memoryOf(cluster: TestCluster): Json {
  return Object.fromEntries(cluster.state.memories.get("mine") ?? []);
}

/** Folding the records alone, and a snapshot taken anywhere between, give the same state. */
function expectSameEverywhere({ state, records }: TestCluster): void {
  const folded = followed(emptyState(), records);
  expect(encodeSnapshot(folded)).toBe(encodeSnapshot(state));
  for (let at = 1; at < records.length; at += 1) {
    const half = decodeSnapshot(encodeSnapshot(followed(emptyState(), records.slice(0, at))));
    expect(encodeSnapshot(followed(half, records.slice(at)))).toBe(encodeSnapshot(state));
  }
}

function followed(state: CoordinatorState, records: readonly DecisionRecord[]): CoordinatorState {
  for (const record of records) fold(state, JSON.parse(canonicalJson(record as never)));
  return state;
}

test("an event on which a rule throws is a dead letter of that rule, and a retry runs that rule alone", () => {
  let isBad = true;
  const cluster = begun(counting(() => isBad));
  cluster.emit("Told", { n: 1 });
  expect(letters(cluster)).toMatchObject([
    ['Told {"n":1}', "mine/throws", 1, expect.stringContaining("cannot take 1")],
  ]);
  cluster.ask("DeadLetterRetryRequested", { events: [idOf(cluster)] });
  expect(letters(cluster)).toMatchObject([
    ['Told {"n":1}', "mine/throws", 2, expect.stringContaining("cannot take 1")],
  ]);
  isBad = false;
  cluster.ask("DeadLetterRetryRequested", { events: [idOf(cluster)] });
  cluster.take();
  expect([letters(cluster), cluster.state.retries]).toEqual([[], []]);
  expect(memoryOf(cluster)).toEqual({ "acts-1": 1, "throws-1": 1 });
  expectSameEverywhere(cluster);
});

test("what has no room in the record of its retry is decided by the next coordinator, once", () => {
  let isBad = true;
  const cluster = begun(counting(() => isBad));
  const all = Array.from({ length: lettersInRecordMax + 3 }, (_, n) => n);
  for (const n of all) cluster.emit("Told", { n });
  isBad = false;
  const events = cluster.state.deadLetters.map(({ event }) => event.id);
  cluster.ask("DeadLetterRetryRequested", { events });
  expect([cluster.state.deadLetters.length, cluster.state.retries.length]).toEqual([0, 3]);
  const next = new TestCluster({ mine: counting(() => false) });
  Object.assign(next, { state: decodeSnapshot(encodeSnapshot(cluster.state)), epoch: 2 });
  next.take();
  next.take();
  expect(memoryOf(next)).toEqual(
    Object.fromEntries(
      all.flatMap((n) => [
        [`acts-${n}`, 1],
        [`throws-${n}`, 1],
      ]),
    ),
  );
  expect([next.state.deadLetters, next.state.retries]).toEqual([[], []]);
});

test("of two retries at once the second finds nothing, and says so", () => {
  const cluster = begun(counting(() => true));
  cluster.emit("Told", { n: 1 });
  const input = (operation: string) =>
    ({
      type: "client",
      id: operation,
      event: {
        type: "DeadLetterRetryRequested",
        version: 1,
        data: { operation, events: [idOf(cluster)] },
      },
    }) as const;
  const { replies } = cluster.take(input("one"), input("two"));
  expect(replies).toMatchObject([
    { type: "accepted" },
    { type: "refused", error: { code: "HAL_NOT_FOUND" } },
  ]);
});

test("what nobody handled is decided as a whole, and stays with a new reason when nobody does again", () => {
  const cluster = begun(counting(() => false));
  cluster.emit("Asked", { n: 7 });
  expect(letters(cluster)).toEqual([['Unheard {"n":7}', "-", 1, "no rule is on Unheard"]]);
  cluster.ask("DeadLetterRetryRequested", { events: [idOf(cluster)] });
  cluster.take();
  expect(letters(cluster)).toEqual([['Unheard {"n":7}', "-", 2, "no rule is on Unheard"]]);
  cluster.ask("DeadLetterDropRequested", { events: [idOf(cluster)], reason: "of no use" });
  expect(letters(cluster)).toEqual([]);
  expect(cluster.whyOf("DeadLetterDropRequested")).toContain("of no use");
  expectSameEverywhere(cluster);
});

test("an event that no file knew is decided by itself when a file declares it in its version", () => {
  const cluster = begun(counting(() => false));
  cluster.emit("Asked", { n: 7 });
  const apply = (version: number) =>
    cluster.apply(clusterSpec([], { rules: [...inGraph, file("theirs", [["Unheard", version]])] }));
  apply(2);
  expect([cluster.state.deadLetters.length, cluster.state.retries.length]).toEqual([1, 0]);
  apply(1);
  expect([cluster.state.deadLetters.length, cluster.state.retries.length]).toEqual([0, 1]);
  const theirs = defineRules({ hears: on(Unheard).do(({ event, why }) => why(`n is ${event.n}`)) });
  cluster.rules = ruleSet({ mine: counting(() => false), theirs });
  cluster.take();
  expect(cluster.whyOf("Unheard")).toBe("n is 7");
  expect([cluster.state.deadLetters, cluster.state.retries]).toEqual([[], []]);
  expectSameEverywhere(cluster);
});

test("what a retry would count twice cannot be retried, only dropped", () => {
  const pattern = count(Told, { atLeast: 2, within: "1m", by: () => "all" });
  const counts = on(pattern).do(() => {
    throw new Error("too many");
  });
  const cluster = new TestCluster({ mine: defineRules({ counts }) });
  const patterns = { counts: pattern.description };
  const rules = [{ ...file("mine", [["Told", 1]]), patterns }];
  cluster.apply(clusterSpec([], { rules }));
  cluster.emit("Told", { n: 1 });
  cluster.emit("Told", { n: 2 });
  expect(letterList(cluster.state).letters).toMatchObject([
    { rule: "mine/counts", final: "its pattern had counted the event" },
  ]);
  const events = [idOf(cluster)];
  expect(cluster.emit("DeadLetterRetryRequested", { operation: "r", events })).toMatchObject({
    type: "refused",
    error: { code: "HAL_CONFLICT" },
  });
  expect(cluster.emit("DeadLetterDropRequested", { operation: "d", events })).toMatchObject({
    type: "accepted",
  });
  expect(letters(cluster)).toEqual([]);
});

test("what a node sent and may not send stays a dead letter, whoever asks", () => {
  const cluster = begun(counting(() => false));
  const event = { type: "OperationDue", version: 1, data: { operation: "x" } };
  cluster.take({ type: "numbered", source: "node/a", incarnation: 1, sequence: 1, event });
  cluster.ask("DeadLetterRetryRequested", { events: [idOf(cluster)] });
  cluster.take();
  expect(letters(cluster)).toMatchObject([
    [expect.any(String), "-", 2, "nodes do not send OperationDue"],
  ]);
});

test("beyond the bound the oldest is forgotten, and counted", () => {
  const cluster = begun(counting(() => false));
  for (let n = 0; n < deadLettersMax + 3; n += 1) cluster.emit("Asked", { n });
  const { letters: kept, dropped } = letterList(cluster.state);
  expect([kept.length, dropped, kept[0]?.data]).toEqual([deadLettersMax, 3, { n: 3 }]);
});

test.each([null, 5, {}, { events: 5 }, { events: [5] }])(
  "a rule file that publishes %j as a request, or as a failure, moves nothing",
  (data) => {
    const types = ["DeadLetterRetryRequested", "DeadLetterDropRequested", "RuleFailed"];
    const lies = defineRules({
      lies: on(Told).do(({ publish }) => {
        for (const type of types) publish({ ...Unheard, type } as never, data as never);
      }),
      asks: on(Asked).do(({ event, publish }) => publish(Unheard, event)),
    });
    const cluster = begun(lies);
    cluster.emit("Asked", { n: 1 });
    cluster.emit("Told", { n: 1 });
    expect(letters(cluster)[0]).toEqual(['Unheard {"n":1}', "-", 1, "no rule is on Unheard"]);
    expect(cluster.state.retries).toEqual([]);
    expectSameEverywhere(cluster);
  },
);
