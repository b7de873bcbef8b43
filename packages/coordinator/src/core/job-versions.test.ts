import { type ClusterSpec, canonicalJson, defineEvent, type Json } from "@halon/protocol";
import {
  by,
  defineRules,
  indexRules,
  type JobEvent,
  type Rules,
  setup,
  statechart,
  z,
} from "@halon/rules";
import { expect, test } from "vitest";
import { TestCluster } from "../../testdata/test-cluster.ts";
import { builtInRules } from "./builtin/rules.ts";
import { fold } from "./fold.ts";
import { encodeSnapshot } from "./snapshot.ts";
import { emptyState } from "./state.ts";

const schema = z.strictObject({ of: z.string() });
const Begin = defineEvent({ type: "Begin", schema });
const Go = defineEvent({ type: "Go", schema });
const blobs = { one: "1".repeat(64), two: "2".repeat(64), three: "3".repeat(64) } as const;

/** A file whose jobs say which version they are of; the first state has a name of its own in each. */
function version(name: string, migrate?: () => "waits" | "nowhere" | null): Rules {
  const machine = setup({
    types: { context: {} as { by: string }, events: {} as JobEvent<typeof Begin | typeof Go> },
  }).createMachine({
    id: "work",
    context: { by: name },
    initial: "waits",
    output: ({ context }) => `${name} ${context.by}`,
    states: {
      waits: { on: { Go: "done" }, after: { 100: "done" } },
      done: { type: "final" },
    },
  });
  const work = statechart({
    on: [by(Begin, (e) => e.of), by(Go, (e) => e.of)],
    starts: [Begin],
    machine,
    ...(migrate === undefined
      ? {}
      : {
          migrate: (old: { readonly context: { readonly [member: string]: Json } }) => {
            const state = migrate();
            return state === null ? null : { state, context: { by: String(old.context["by"]) } };
          },
        }),
  });
  return defineRules({ work });
}

class Versions extends TestCluster {
  readonly #loaded: Readonly<Record<string, Rules>>;

  constructor(loaded: Readonly<Record<string, Rules>>) {
    super();
    this.#loaded = loaded;
  }

  /** Applies a cluster file with this version of the rule file, or without one, and loads what the graph names. */
  bring(blob: string | null): void {
    const file = { name: "file", rules: ["work"], events: [], resources: {} };
    const rules = blob === null ? [] : [{ ...file, blob }];
    this.apply({ types: [], deployments: [], rules, prune: true } satisfies ClusterSpec);
    this.load();
    this.take();
  }

  load(): void {
    const known = this.state.graph.get("RuleFile", "file")?.attributes;
    const versions = known === undefined ? [] : [known.blob, ...(known.kept ?? [])];
    const files = [...new Set(versions)].map((blob) => ({
      name: "file",
      version: blob,
      isKept: known?.blob !== blob || known.retired === true,
      rules: this.#loaded[blob] ?? defineRules({}),
    }));
    this.rules = {
      index: indexRules([{ name: "builtin", rules: builtInRules }, ...files]),
      declared: new Map([Begin, Go].map((event) => [event.type, event])),
    };
  }

  get kept(): readonly string[] | undefined {
    return this.state.graph.get("RuleFile", "file")?.attributes.kept;
  }

  told(type: string): readonly unknown[] {
    const all = this.records.flatMap(({ decisions }) => decisions.map(({ event }) => event));
    return all.filter((event) => event.type === type).map(({ data }) => data);
  }
}

test("a job goes on in the version that it began with; new ones begin in the newest, and no version stays without jobs", () => {
  const cluster = new Versions({ [blobs.one]: version("one"), [blobs.two]: version("two") });
  cluster.bring(blobs.one);
  cluster.emit("Begin", { of: "a" });
  cluster.emit("Begin", { of: "b" });
  cluster.bring(blobs.two);
  expect(cluster.kept).toEqual([blobs.one]);
  cluster.emit("Begin", { of: "c" });
  for (const of of ["a", "c"]) cluster.emit("Go", { of });
  expect(cluster.kept).toEqual([blobs.one]);
  cluster.emit("Go", { of: "b" });
  expect(cluster.kept).toBeUndefined();
  expect(cluster.told("JobEnded")).toMatchObject([
    { key: "a", output: "one one" },
    { key: "c", output: "two two" },
    { key: "b", output: "one one" },
  ]);
});

test("an equal request joins a job of an earlier version", () => {
  const cluster = new Versions({ [blobs.one]: version("one"), [blobs.two]: version("two") });
  cluster.bring(blobs.one);
  cluster.emit("Begin", { of: "a" });
  cluster.bring(blobs.two);
  cluster.emit("Begin", { of: "a" });
  cluster.emit("Go", { of: "a" });
  expect(cluster.told("JobEnded")).toMatchObject([{ output: "one one", requests: [{}, {}] }]);
});

test("a version that comes back is not kept beside itself", () => {
  const cluster = new Versions({ [blobs.one]: version("one"), [blobs.two]: version("two") });
  cluster.bring(blobs.one);
  cluster.emit("Begin", { of: "a" });
  cluster.bring(blobs.two);
  cluster.emit("Begin", { of: "b" });
  cluster.bring(blobs.one);
  expect(cluster.kept).toEqual([blobs.two]);
});

test("a file that is removed stays for its jobs alone, and goes with the last", () => {
  const cluster = new Versions({ [blobs.one]: version("one") });
  cluster.bring(blobs.one);
  cluster.emit("Begin", { of: "a" });
  cluster.bring(null);
  cluster.emit("Begin", { of: "b" });
  expect(cluster.state.deadLetters.at(-1)).toMatchObject({ event: { type: "Begin" } });
  cluster.emit("Go", { of: "a" });
  expect(cluster.told("JobEnded")).toMatchObject([{ key: "a", outcome: "done" }]);
  expect(cluster.state.graph.get("RuleFile", "file")).toBeUndefined();
});

test("a version that cannot be loaded is let go, and its jobs end at their deadlines", () => {
  const cluster = new Versions({ [blobs.one]: version("one"), [blobs.two]: version("two") });
  cluster.bring(blobs.one);
  cluster.emit("Begin", { of: "a" });
  cluster.bring(blobs.two);
  cluster.observe("RuleFileFailed", { file: "file", blob: blobs.one, reason: "gone" });
  expect(cluster.kept).toBeUndefined();
  cluster.load();
  cluster.now += 3_600_000;
  cluster.take();
  expect(cluster.told("JobEnded")).toMatchObject([{ key: "a", outcome: "timedOut" }]);
});

test("migrate moves jobs into the new version with their delays, and the old version goes", () => {
  const cluster = new Versions({
    [blobs.one]: version("one"),
    [blobs.two]: version("two", () => "waits"),
  });
  cluster.bring(blobs.one);
  for (let number = 0; number < 600; number += 1) cluster.emit("Begin", { of: `k${number}` });
  cluster.now += 60;
  cluster.bring(blobs.two);
  cluster.take();
  expect(cluster.kept).toBeUndefined();
  cluster.now += 39;
  cluster.take();
  expect(cluster.told("JobEnded")).toEqual([]);
  cluster.now += 1;
  cluster.take();
  expect(cluster.told("JobEnded")).toHaveLength(600);
  expect(cluster.told("JobEnded")[0]).toMatchObject({ outcome: "done", output: "two one" });
  const follower = emptyState();
  for (const record of cluster.records) fold(follower, JSON.parse(canonicalJson(record)));
  expect(encodeSnapshot(follower)).toBe(encodeSnapshot(cluster.state));
});

test("what migrate throws is told and leaves the job; null leaves it too", () => {
  const cluster = new Versions({
    [blobs.one]: version("one"),
    [blobs.two]: version("two", () => "nowhere"),
    [blobs.three]: version("three", () => null),
  });
  cluster.bring(blobs.one);
  cluster.emit("Begin", { of: "a" });
  cluster.bring(blobs.two);
  expect(cluster.told("RuleFailed")).toMatchObject([{ rule: "file/work" }]);
  cluster.bring(blobs.three);
  expect(cluster.kept).toEqual([blobs.one]);
  cluster.emit("Go", { of: "a" });
  expect(cluster.told("JobEnded")).toMatchObject([{ outcome: "done", output: "one one" }]);
});
