import { defineEvent } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { FakeHost, run, runFiles } from "../testdata/fake-host.ts";
import { defineRules } from "./define-rules.ts";
import { count } from "./pattern/patterns.ts";
import { on } from "./rule.ts";

const type = "DiskError";
const First = defineEvent({ type, schema: z.strictObject({ disk: z.string() }) });
const Third = defineEvent({
  type,
  version: 3,
  schema: z.strictObject({ disk: z.string(), sectors: z.number().int(), node: z.string() }),
  from: {
    1: (old: { disk: string }) => ({ ...old, sectors: 1 }),
    2: (old: { disk: string; sectors: number }) => ({ ...old, node: "unknown" }),
  },
});
const third = defineRules({ see: on(Third).do(({ event, why }) => why(JSON.stringify(event))) });
const first = defineRules({ see: on(First).do(({ event, why }) => why(JSON.stringify(event))) });

const whyOf = (version: number, data: object, rules = third) =>
  run(rules, { type, version, data: data as never }).firings[0]?.why;

test.each([
  [1, { disk: "sda" }, { disk: "sda", sectors: 1, node: "unknown" }],
  [2, { disk: "sda", sectors: 4 }, { disk: "sda", sectors: 4, node: "unknown" }],
  [3, { disk: "sda", node: "a", sectors: 4 }, { disk: "sda", node: "a", sectors: 4 }],
])("an event of version %s is read as the newest, step by step", (version, data, seen) => {
  expect(JSON.parse(whyOf(version, data) ?? "")).toEqual(seen);
});

test("patterns take it as the newest too", () => {
  const host = new FakeHost();
  const twice = count(Third, { atLeast: 1, within: "1m", by: (event) => event.node });
  run(defineRules({ twice: on(twice).do(() => undefined) }), { type, data: { disk: "a" } }, host);
  expect(host.contributions).toMatchObject([{ rule: "file/twice", key: "unknown" }]);
});

test("files that declare other versions of a type read it each in its own", () => {
  const files = [
    { name: "new", rules: third },
    { name: "old", rules: first },
  ];
  const seenBy = (version: number, data: object) =>
    runFiles(files, { type, version, data: data as never }).firings.map(({ rule }) => rule);
  expect(seenBy(1, { disk: "sda" })).toEqual(["new/see", "old/see"]);
  expect(seenBy(3, { disk: "sda", node: "a", sectors: 4 })).toEqual(["new/see"]);
});

test("a version that no rule reads is a dead letter that names those that are read", () => {
  const { firings, dead } = run(third, { type, version: 4, data: {} });
  expect(firings).toEqual([]);
  expect(dead).toBe(
    "no rule in force reads version 4 of DiskError; known are: 1, 2, 3. Apply a rule file that declares it",
  );
});

describe("lifting fails as a rule does, and says why, when", () => {
  const lifted = (from: (old: never) => unknown) =>
    defineRules({
      see: on(
        defineEvent({
          type,
          version: 2,
          schema: z.strictObject({ n: z.number() }),
          from: { 1: from },
        }),
      ).do(({ why }) => why("seen")),
    });
  test.each([
    [
      "its code throws",
      () => {
        throw new Error("no way");
      },
      "Error: no way",
    ],
    [
      "the schema refuses what it gives",
      () => ({ n: "x" }),
      "from version 1 to 2, whose schema refuses it",
    ],
    [
      "it gives a promise",
      async () => ({ n: 1 }),
      "DiskError as version 2 is an object of class Promise",
    ],
    ["it gives nothing", () => undefined, "whose schema refuses it"],
    [
      "it changes the event",
      (old: { disk: string }) => {
        old.disk = "";
        return old;
      },
      "read only property",
    ],
  ] as [string, (old: never) => unknown, string][])("%s", (_, from, reason) => {
    const { firings } = run(lifted(from), { type, data: Object.freeze({ disk: "sda" }) });
    expect(firings).toHaveLength(1);
    expect(firings[0]?.published[0]).toMatchObject({ type: "RuleFailed" });
    expect(firings[0]?.why).toContain(reason);
  });
});

describe("a declaration is refused", () => {
  const declare = (version: number, from: Record<number, () => object>) => () =>
    defineEvent({ type, version, schema: z.strictObject({}), from });
  test.each([
    [
      "without a step in the middle",
      declare(4, { 1: () => ({}), 3: () => ({}) }),
      "from 2 to 3 is missing",
    ],
    ["with a step from its own version", declare(2, { 2: () => ({}) }), "2 is no version before 2"],
    ["with version 0", declare(0, {}), "version is 0; it is a whole number from 1 on"],
  ])("%s", (_, declared, message) => {
    expect(declared).toThrow(message);
  });

  test("that stands beside one of another version in the same file", () => {
    expect(() =>
      defineRules({ a: on(First).do(() => undefined), b: on(Third).do(() => undefined) }),
    ).toThrow("the file declares versions 1 and 3");
  });
});

test("a timer keeps the version of its event", () => {
  const Go = defineEvent({ type: "Go", schema: z.strictObject({}) });
  const rules = defineRules({
    go: on(Go).do(({ timer }) => timer.after("t", 10, Third, { disk: "a", sectors: 1, node: "n" })),
  });
  expect(run(rules, { type: "Go" }).firings[0]?.timers).toMatchObject([
    { event: { type, version: 3 } },
  ]);
});
