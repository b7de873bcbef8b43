import { defineEvent, defineRules, join, on, type Rules, z } from "@halon/rules";
import { expect, test } from "vitest";
import { clusterSpec, hashLike } from "../../testdata/samples.ts";
import { ruleSet } from "../../testdata/test-cluster.ts";
import { FileHealth, fileCharsMax } from "./file-health.ts";
import { emptyState } from "./state.ts";
import { step } from "./step.ts";

const schema = z.looseObject({ key: z.string(), text: z.string() });
const One = defineEvent({ type: "One", schema });
const Two = defineEvent({ type: "Two", schema });
const by = (event: { readonly key: string }) => event.key;

/** A state in which the file is, and what tells it an event. */
function decide(rules: Rules) {
  const state = emptyState();
  const health = new FileHealth(state);
  const set = ruleSet({ file: rules });
  const patterns = Object.fromEntries(
    Object.entries(rules.rules).flatMap(([name, rule]) =>
      rule.kind === "step" && rule.pattern !== undefined ? [[name, rule.pattern.description]] : [],
    ),
  );
  let ids = 0;
  const tell = (type: string, data: object): void => {
    ids += 1;
    const event = { type, version: 1, data: data as never };
    const stamp = { epoch: 1, logTime: ids, wallTime: 0 };
    step(state, set, [{ type: "client", id: `id-${ids}`, event }], stamp, { health });
  };
  const file = { name: "file", blob: hashLike("file"), rules: [], events: [], resources: {} };
  const spec = clusterSpec([], { rules: [{ ...file, patterns }] });
  tell("ClusterApplied", { operation: "op", spec });
  return { state, health, tell };
}

const text = "x".repeat(1_000_000);

test("windows that keep more and more are a flaw of their file", () => {
  const pair = on(join(One, Two, { on: [by, by], within: "1h" })).do(() => undefined);
  const { health, tell } = decide(defineRules({ pair }));
  for (let n = 0; n < 14; n += 1) tell("One", { key: `k${n}`, text });
  expect(health.take()).toEqual([]);
  for (let n = 14; n < 24; n += 1) tell("One", { key: `k${n}`, text });
  expect(health.take()).toMatchObject([
    { file: "file", reason: expect.stringContaining("more than 16777216 together") },
  ]);
});

test("memory that is replaced or forgotten does not add up, and none of the built-in rules counts", () => {
  const { health, tell } = decide(
    defineRules({
      remember: on(One).do(({ event, memory }) => memory.set(event.key, event.text)),
      forget: on(Two).do(({ event, memory }) => memory.set(event.key, null)),
    }),
  );
  for (let n = 0; n < 30; n += 1) tell("One", { key: "same", text });
  for (let n = 0; n < 30; n += 1) {
    tell("One", { key: `k${n}`, text });
    tell("Two", { key: `k${n}`, text: "" });
  }
  expect(health.take()).toEqual([]);
  for (let n = 0; n < Math.ceil(fileCharsMax / text.length); n += 1)
    tell("One", { key: `k${n}`, text });
  expect(health.take()).toMatchObject([{ file: "file" }]);
});
