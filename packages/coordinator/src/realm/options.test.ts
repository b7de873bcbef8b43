import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DecisionRecord, Json, JsonObject } from "@halon/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { clusterSpec, hashLike } from "../../testdata/samples.ts";
import { fold, type Reply } from "../core/index.ts";
import { encodeSnapshot } from "../core/snapshot.ts";
import { emptyState } from "../core/state.ts";
import type { DecisionLoop } from "../loop.ts";
import { Standby } from "../standby.ts";
import { openMemoryStore } from "../store/memory.ts";
import { runRuleScript } from "./rule-script.ts";

/** Waits until it holds, on however busy a machine. */
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 30_000 });

let blobs: string;
let loop: DecisionLoop;
let records: DecisionRecord[];
let requests = 0;

beforeEach(async () => {
  blobs = await mkdtemp(join(tmpdir(), "halon-options-"));
  records = [];
  const standby = await Standby.open(await openMemoryStore(), {
    ruleFiles: {
      blobPath: (hash) => join(blobs, `${hash}.cjs`),
      hasBlob: async () => true,
      missing: () => undefined,
      files: () => undefined,
      running: () => undefined,
      suspects: new Map(),
    },
    listener: {
      commands: () => undefined,
      following: () => undefined,
      record: ({ text }) => void records.push(JSON.parse(text)),
      warning: () => undefined,
      beforeSnapshot: async () => undefined,
      fatal: () => undefined,
    },
  });
  loop = await standby.lead();
});

afterEach(() => loop.close());

const text = `
const { by, count, defineEvent, defineRules, effect, on, setup, statechart, z } = require("@halon/rules");
const schema = z.strictObject({ key: z.string() });
const [Hit, Begin, Go] = ["Hit", "Begin", "Go"].map((type) => defineEvent({ type, schema }));
const key = (event) => event.key;
module.exports.default = defineRules((options) => {
  if (options.word === "bad") throw new Error("no such word");
  const machine = setup({ actions: { tell: effect } }).createMachine({
    initial: "waiting",
    states: {
      waiting: { on: { Go: { target: "done", actions: "tell" } }, after: { 1000000: "done" } },
      done: { type: "final" },
    },
  });
  return {
    some: on(count(Hit, { atLeast: options.errors, within: "1h", by: key })).do(({ why }) => why("some")),
    four: on(count(Hit, { atLeast: 4, within: "1h", by: key })).do(({ why }) => why(options.word + " four")),
    job: statechart({
      on: [by(Begin, key), by(Go, key)], starts: [Begin], machine,
      effects: { tell: ({ why }) => why("job says " + options.word) },
    }),
  };
}, { options: z.strictObject({ errors: z.number().int().min(2).default(2), word: z.string().default("hi") }) });`;
const blob = hashLike(text);

function submit(type: string, data: JsonObject): Promise<Reply> {
  requests += 1;
  const id = `request-${requests}`;
  const event = { type, version: 1, data };
  return new Promise((resolve) => loop.submit({ type: "client", id, event }, resolve));
}

/** Applies the file as it is compiled with these options. */
async function apply(given: JsonObject = {}): Promise<void> {
  await writeFile(join(blobs, `${blob}.cjs`), text);
  const { rules, options, optionsSchema } = runRuleScript(text, "x").configure(given);
  const patterns = Object.entries(rules.rules).flatMap(([name, { pattern }]) =>
    pattern === undefined ? [] : [[name, pattern.description] as const],
  );
  const events = ["Hit", "Begin", "Go"].map((type) => ({ type, version: 1, schema: {} }));
  const file = {
    ...{ name: "mine", blob, rules: Object.keys(rules.rules), events, resources: {} },
    ...{ patterns: Object.fromEntries(patterns), options, optionsSchema },
  };
  const spec = clusterSpec([], { rules: [file as never] });
  await submit("ClusterApplied", { operation: `apply-${requests}`, spec: spec as unknown as Json });
}

const ask = (options: JsonObject, file = "mine") =>
  submit("RuleOptionsRequested", { operation: `options-${requests}`, file, options });
const hit = () => submit("Hit", { key: "k" });
const inForce = () => loop.state.graph.get("RuleFile", "mine")?.attributes;

/** What its rules said. */
const said = () =>
  records
    .flatMap(({ decisions }) => decisions.flatMap(({ firings }) => firings))
    .filter(({ rule, why }) => rule.startsWith("mine/") && /some|four|job says/.test(why))
    .map(({ why }) => why.replace(/;.*/, ""));

test("options are changed at run time: what is not named stays, null takes the default", async () => {
  await apply({ errors: 3 });
  expect(await ask({ word: "ho" })).toMatchObject({ type: "accepted" });
  expect(inForce()).toMatchObject({ options: { errors: 3, word: "ho" }, edition: 2 });
  await ask({ errors: null });
  expect(inForce()?.options).toEqual({ errors: 2, word: "ho" });
});

test("windows of patterns whose description is the same go on, those of others begin anew", async () => {
  await apply();
  await hit();
  await ask({ word: "ho" });
  await hit();
  await eventually(() => expect(said()).toEqual(["some"]));
  await ask({ errors: 5 });
  await hit();
  await hit();
  await eventually(() => expect(said()).toEqual(["some", "ho four"]));
});

test("a job keeps the options that it began with; new ones begin with the new ones", async () => {
  await apply();
  await submit("Begin", { key: "a" });
  await ask({ word: "ho" });
  await submit("Begin", { key: "b" });
  expect(inForce()).toMatchObject({
    kept: [`${blob}#1`],
    keptOptions: { [`${blob}#1`]: { errors: 2, word: "hi" } },
  });
  for (const key of ["a", "b"]) await submit("Go", { key });
  await eventually(() => expect(said()).toEqual(["job says hi", "job says ho"]));
  expect(inForce()).not.toHaveProperty("kept");
  expect(inForce()).not.toHaveProperty("keptOptions");
});

test("equal options are no new version", async () => {
  await apply({ word: "ho" });
  await ask({ word: "ho" });
  expect(inForce()?.edition).toBe(1);
});

test("applying the cluster file anew takes its options", async () => {
  await apply();
  await ask({ word: "ho" });
  await apply();
  expect(inForce()).toMatchObject({ options: { errors: 2, word: "hi" }, edition: 3 });
});

describe("a request for options is refused before it is taken, and nothing changes:", () => {
  test.each([
    ["of a wrong type", { errors: "x" }, 'mine: options.errors: expected number, got "x"'],
    ["that are not there", { errrs: 1 }, "there is no such option, got 1. The file takes errors"],
    ["with which its code throws", { word: "bad" }, "its code throws no such word"],
  ])("%s", async (_, options, message) => {
    await apply();
    const before = inForce();
    const reply = await ask(options);
    expect(reply).toMatchObject({
      type: "refused",
      error: { code: "HAL_CONFIG_INVALID", message: expect.stringContaining(message) },
    });
    expect(inForce()).toEqual(before);
  });

  test("of a file that takes no part", async () => {
    await apply();
    await submit("RuleDisableRequested", { operation: "d", file: "mine", reason: "noisy" });
    expect(await ask({ word: "ho" })).toMatchObject({
      error: { code: "HAL_CONFLICT", message: expect.stringContaining("noisy") },
    });
  });

  test("of a file that is not there", async () => {
    await ask({ word: "ho" }, "ghost");
    const [operation] = loop.state.graph.list("Operation");
    expect(operation?.attributes).toMatchObject({ action: "options", state: "failed" });
  });
});

describe("of a file that runs on nodes", () => {
  const onNodes = `
const { count, defineEvent, defineRules, onNode, z } = require("@halon/rules");
const schema = z.strictObject({ key: z.string() });
const [Hit, Miss] = ["Hit", "Miss"].map((type) => defineEvent({ type, schema }));
module.exports.default = defineRules(({ most, misses }) => ({
  many: onNode(count(misses ? Miss : Hit, { atLeast: most, within: "1h" })).do(() => {}),
}), { runs: "node", options: z.strictObject({ most: z.number().int().min(2).default(3), misses: z.boolean().default(false) }) });`;
  const hash = hashLike(onNodes);

  beforeEach(async () => {
    await writeFile(join(blobs, `${hash}.cjs`), onNodes);
    const { rules, options, optionsSchema } = runRuleScript(onNodes, "x").configure({});
    const file = {
      ...{ name: "mine", blob: hash, rules: Object.keys(rules.rules), resources: {} },
      ...{ events: [{ type: "Hit", version: 1, schema: {} }], runs: "node", hears: rules.hears },
      ...{ options, optionsSchema },
    };
    const spec = clusterSpec([], { rules: [file as never] });
    await submit("ClusterApplied", { operation: `on-nodes-${requests}`, spec: spec as never });
  });

  test("they are checked by its code and put into the graph, and its rules stay out of the log's", async () => {
    expect(await ask({ most: 4 })).toMatchObject({ type: "accepted" });
    expect(inForce()).toMatchObject({ runs: "node", hears: ["Hit"], edition: 2 });
    expect(inForce()?.options).toEqual({ most: 4, misses: false });
    expect(inForce()?.patterns).toMatchObject({ many: { type: "count" } });
    expect(await ask({ most: 1 })).toMatchObject({
      error: { message: expect.stringContaining("options.most: Too small") },
    });
    expect(inForce()?.edition).toBe(2);
  });

  test("those with which it would be on other events are refused", async () => {
    expect(await ask({ misses: true })).toMatchObject({
      type: "refused",
      error: {
        code: "HAL_CONFIG_INVALID",
        message: expect.stringContaining("its rules are on Miss, and on Hit with the present ones"),
      },
    });
    expect(inForce()?.edition).toBe(1);
  });
});

test("the log alone gives the same state: what the code made of options is in it", async () => {
  await apply();
  await hit();
  await ask({ errors: 4, word: "ho" });
  await hit();
  await eventually(() => expect(records.at(-1)?.index).toBe(loop.state.index));
  const folded = emptyState();
  for (const record of records) fold(folded, record);
  expect(encodeSnapshot(folded)).toBe(encodeSnapshot(loop.state));
});
