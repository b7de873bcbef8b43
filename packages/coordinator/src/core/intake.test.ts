import { defineEvent } from "@halon/protocol";
import { defineRules, on } from "@halon/rules";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { TestCluster } from "../../testdata/test-cluster.ts";
import type { Input } from "./index.ts";

const Noted = defineEvent({ type: "Noted", schema: z.strictObject({ n: z.number() }) });
const notes = defineRules({ note: on(Noted).do(() => undefined) }, { events: [Noted] });

const left = { type: "NodeLeft", version: 1, data: { node: "a", incarnation: 1 } };

const numbered = (
  sequence: number,
  given: Partial<Input & { readonly type: "numbered" }> = {},
): Input => ({
  type: "numbered",
  source: "node/a",
  incarnation: 1,
  sequence,
  event: left,
  ...given,
});

const client = (id: string, type: string, data: unknown, version = 1): Input => ({
  type: "client",
  id,
  event: { type, version, data: data as never },
});

/** Replies to the inputs, each in a record of its own. */
function replies(inputs: readonly Input[], cluster = new TestCluster({ notes })) {
  return inputs.map((input) => cluster.take(input).replies[0]);
}

describe("events of a node", () => {
  test("are taken in the order of their numbers, each once", () => {
    const cluster = new TestCluster();
    const first = cluster.state.index + 1;
    expect(replies([numbered(1), numbered(2), numbered(2), numbered(1)], cluster)).toEqual([
      { type: "accepted", index: first },
      { type: "accepted", index: first + 1 },
      { type: "duplicate", index: null },
      { type: "duplicate", index: null },
    ]);
  });

  test("after a gap are not taken; the number expected is named", () => {
    const [, gap] = replies([numbered(1), numbered(3)]);
    expect(gap).toEqual({ type: "gap", expected: 2 });
  });

  test("of a later incarnation begin at 1 again", () => {
    const [, gap, taken] = replies([
      numbered(1),
      numbered(2, { incarnation: 2 }),
      numbered(1, { incarnation: 2 }),
    ]);
    expect([gap, taken?.type]).toEqual([{ type: "gap", expected: 1 }, "accepted"]);
  });

  test("of an older incarnation are refused", () => {
    const [, old] = replies([numbered(1, { incarnation: 2 }), numbered(1)]);
    expect(old).toMatchObject({ type: "refused", error: { code: "HAL_CONFLICT" } });
  });

  test("in one batch see each other", () => {
    const { replies: all } = new TestCluster().take(numbered(1), numbered(2), numbered(2));
    expect(all.map(({ type }) => type)).toEqual(["accepted", "accepted", "duplicate"]);
  });

  test.each([
    { flaw: "of an unknown type", event: { ...left, type: "Nonsense" } },
    { flaw: "of a type that nodes do not send", event: { ...left, type: "ClusterApplied" } },
    { flaw: "of another version", event: { ...left, version: 2 } },
    { flaw: "that do not fit their schema", event: { ...left, data: { node: 7 } } },
    { flaw: "that JSON cannot hold", event: { ...left, data: { node: Number.NaN } } },
  ])("$flaw are consumed as dead letters: refusing them would stop their source", ({ event }) => {
    const cluster = new TestCluster();
    expect(
      replies([numbered(1, { event }), numbered(2)], cluster).map((each) => each?.type),
    ).toEqual(["accepted", "accepted"]);
    const [letter] = cluster.state.deadLetters;
    expect(letter?.event.id).toBe("node/a:1:1");
    expect(letter?.reason).not.toBe("");
  });
});

describe("events of a client", () => {
  test("with the same id get the same answer, and are decided once", () => {
    const cluster = new TestCluster({ notes });
    const [first, second] = replies(
      [client("c", "Noted", { n: 1 }), client("c", "Noted", { n: 2 })],
      cluster,
    );
    expect(first).toEqual({ type: "accepted", index: 2 });
    expect(second).toEqual({ type: "duplicate", index: 2 });
    expect(cluster.decided("Noted")).toHaveLength(1);
  });

  test.each([
    { what: "an unknown type", input: client("c", "Nonsense", {}), code: "HAL_EVENT_UNKNOWN" },
    { what: "a name of Object", input: client("c", "toString", {}), code: "HAL_EVENT_UNKNOWN" },
    { what: "what a node sends", input: client("c", "NodeLeft", left.data), code: "HAL_FORBIDDEN" },
    {
      what: "a wrong field",
      input: client("c", "Noted", { n: "1" }),
      code: "HAL_SCHEMA_VIOLATION",
    },
    {
      what: "another version",
      input: client("c", "Noted", { n: 1 }, 2),
      code: "HAL_SCHEMA_VIOLATION",
    },
    { what: "a bigint", input: client("c", "Noted", { n: 1n }), code: "HAL_SCHEMA_VIOLATION" },
  ])("$what is refused with $code, and leaves no record", ({ input, code }) => {
    const cluster = new TestCluster({ notes });
    const { record, replies: all } = cluster.take(input);
    expect(all).toMatchObject([{ type: "refused", error: { code } }]);
    expect(record).toBeUndefined();
  });

  test("what is wrong with an event is said in one line, each with its field", () => {
    const { replies: all } = new TestCluster({ notes }).take(client("c", "Noted", { n: "1" }));
    const message = expect.stringMatching(/^Noted: n: Invalid input: expected number.*$/);
    expect(all).toMatchObject([{ type: "refused", error: { message } }]);
  });

  test("that no rule is on are kept as dead letters with the reason", () => {
    const cluster = new TestCluster({ notes: defineRules({}, { events: [Noted] }) });
    cluster.take(client("c", "Noted", { n: 1 }));
    expect(cluster.state.deadLetters).toMatchObject([{ reason: "no rule is on Noted" }]);
  });
});

test("what a client leaves out of Halon's own events is filled in before a rule sees it", () => {
  const cluster = new TestCluster();
  const file = { name: "mine", blob: "0".repeat(64), rules: [], events: [] };
  const spec = { types: [], deployments: [], rules: [file], prune: false };
  cluster.take(client("c1", "ClusterApplied", { operation: "o1", spec }));
  expect(cluster.operation("o1")).toMatchObject({ state: "done" });
  expect(cluster.state.graph.get("RuleFile", "mine")?.attributes.rules).toEqual([]);
});

test("the order of members of an event's data does not reach a rule", () => {
  const seen: string[] = [];
  const Loose = defineEvent({ type: "Loose", schema: z.record(z.string(), z.number()) });
  const looks = defineRules(
    { look: on(Loose).do(({ event }) => void seen.push(Object.keys(event).join())) },
    { events: [Loose] },
  );
  const cluster = new TestCluster({ looks });
  cluster.take(client("c1", "Loose", { b: 1, a: 2 }), client("c2", "Loose", { a: 2, b: 1 }));
  expect(seen).toEqual(["a,b", "a,b"]);
});

describe("versions of an event of a rule file", () => {
  const rules = defineRules({ note: on(Noted).do(() => undefined) });
  const told = (version: number, data: object) => {
    const cluster = new TestCluster({ notes: rules });
    const { schema } = Noted;
    const older = new Map([[1, null]]);
    cluster.rules = {
      ...cluster.rules,
      declared: new Map([["Noted", { version: 2, schema, older }]]),
    };
    return cluster.take(client("c", "Noted", data, version)).replies[0];
  };

  test("that can be read are taken; the data of earlier ones are looked at when they are lifted", () => {
    expect(told(2, { n: 1 })).toMatchObject({ type: "accepted" });
    expect(told(1, { x: 1 })).toMatchObject({ type: "accepted" });
  });

  test("that cannot are refused, with those that can", () => {
    expect(told(3, { n: 1 })).toMatchObject({
      error: {
        code: "HAL_SCHEMA_VIOLATION",
        message: "Noted has the versions 1, 2 here, the event has version 3",
      },
    });
  });
});
