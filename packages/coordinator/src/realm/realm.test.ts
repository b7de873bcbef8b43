import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command, DecisionRecord, Json } from "@halon/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { clusterSpec, hashLike } from "../../testdata/samples.ts";
import type { Reply } from "../core/index.ts";
import type { DecisionLoop } from "../loop.ts";
import { Standby } from "../standby.ts";
import { openMemoryStore } from "../store/memory.ts";
import { runWithin } from "./deadline.ts";

/** Waits until it holds, on however busy a machine. */
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 30_000 });

let blobs: string;
let loop: DecisionLoop;
let records: DecisionRecord[];
let commands: Command[];

beforeEach(async () => {
  blobs = await mkdtemp(join(tmpdir(), "halon-realm-"));
  records = [];
  commands = [];
  const standby = await Standby.open(await openMemoryStore(), {
    ruleFiles: {
      blobPath: (hash) => join(blobs, `${hash}.mjs`),
      hasBlob: async () => true,
      missing: () => undefined,
      files: () => undefined,
      running: () => undefined,
      suspects: new Map(),
    },
    listener: {
      commands: (some) => void commands.push(...some),
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

const head = `const { defineEvent, defineRules, events, on, z } = require("@halon/rules");
const event = (type) => defineEvent({ type, schema: z.looseObject({}) });\n`;

/** A rule file that is on its own type of event, called as the file is. */
function onOwn(name: string, body: string): string {
  return `${head}module.exports.default = defineRules({ act: on(event("${name}")).do((context) => {\n${body}\n}) });`;
}

let requests = 0;

function submit(type: string, data: Json): Promise<Reply> {
  requests += 1;
  const id = `request-${requests}`;
  const event = { type, version: 1, data };
  return new Promise((resolve) => loop.submit({ type: "client", id, event }, resolve));
}

/** Brings the files into the cluster; all that is there stays. */
async function apply(
  files: Readonly<Record<string, string>>,
  invariants: readonly string[] = [],
): Promise<void> {
  const rules = [];
  for (const [name, text] of Object.entries(files)) {
    const blob = hashLike(text);
    await writeFile(join(blobs, `${blob}.mjs`), text);
    const events = [{ type: name, version: 1, schema: {} }];
    rules.push({ name, blob, rules: ["act"], events, resources: {}, invariants: [...invariants] });
  }
  const spec = clusterSpec([], { rules });
  await submit("ClusterApplied", { operation: `apply-${requests}`, spec } as never);
}

function quarantine(file: string): string | undefined {
  return loop.state.graph.get("RuleFile", file)?.attributes.quarantined;
}

/** What rules of the file said, by the event. */
function said(file: string): readonly string[] {
  return records
    .flatMap(({ decisions }) => decisions.flatMap(({ firings }) => firings))
    .filter(({ rule }) => rule === `${file}/act`)
    .map(({ why }) => why);
}

function tell(file: string, n: number): Promise<Reply> {
  return submit(file, { n });
}

const saysN = "context.why('n is ' + context.event.n);";

describe("work with a deadline", () => {
  test("gives its value, or what it throws", () => {
    expect(runWithin(1_000, () => 7)).toEqual({ value: 7 });
    expect(() =>
      runWithin(1_000, () => {
        throw new RangeError("mine");
      }),
    ).toThrow(RangeError);
  });

  test("is ended when it catches all and never returns", () => {
    const spin = (): never => {
      for (;;) {
        try {
          for (;;);
        } catch {}
      }
    };
    expect(runWithin(20, spin)).toBeNull();
    expect(runWithin(1_000, () => 8)).toEqual({ value: 8 });
  });
});

describe("a rule whose code", () => {
  test.each([
    ["runs for ever", "for (;;);"],
    ["catches what ends it", "for (;;) { try { for (;;); } catch {} finally { continue; } }"],
    ["has a regular expression that explodes", "/^(a+)+$/.test('a'.repeat(60) + '!');"],
    [
      "loops in a change of the graph",
      "context.update.edit('RuleFile', 'bad', () => { for (;;); });",
    ],
    ["fills an array for ever", "const all = []; for (;;) all.push(all.length);"],
  ])(
    "%s is ended, its file alone is in quarantine, and all events are decided",
    async (_, body) => {
      const bad = onOwn("bad", `if (context.event.n > 1) { ${body} }\n${saysN}`);
      const edits = "context.update.edit('RuleFile', 'good', (file) => { file.rules = ['act']; });";
      await apply({ bad, good: onOwn("good", `${edits}\n${saysN}`) });
      const replies = await Promise.all([
        tell("good", 1),
        tell("bad", 1),
        tell("bad", 2),
        tell("good", 2),
      ]);
      expect(replies.map(({ type }) => type)).toEqual(Array(4).fill("accepted"));
      await eventually(() =>
        expect(quarantine("bad")).toMatch(/its code ran \d+ ms without an end/),
      );
      expect(said("good")).toEqual(["n is 1", "n is 2"]);
      expect(quarantine("good")).toBeUndefined();
      // What was decided before it is there once, what came with it or later is kept.
      expect([...said("bad"), ...loop.state.kept.of("bad")]).toHaveLength(2);
    },
  );

  test.each([
    ["throws", "context.event.none.member;", "TypeError: Cannot read properties of undefined"],
    ["calls itself for ever", "const f = () => f() + 1; f();", "RangeError: Maximum call stack"],
    ["returns a promise", "return (async () => 1)();", "must not return a promise"],
    ["changes its event", "context.event.n = 2;", "TypeError: Cannot assign to read only"],
    [
      "changes what the graph holds",
      "context.graph.get('RuleFile', 'bad').attributes.rules = [];",
      "TypeError: Cannot assign to read only",
    ],
    ["reads a clock", "Date.now();", "Date.now() is not there for rule files"],
    ["remembers what JSON cannot hold", "context.memory.set('k', () => 1);", "not JSON"],
  ])(
    "%s is undone alone, and after five in a row its file is in quarantine",
    async (_, body, reason) => {
      await apply({ bad: onOwn("bad", `context.memory.set("seen", 1);\n${body}`) });
      for (let n = 1; n <= 4; n += 1) await tell("bad", n);
      expect(quarantine("bad")).toBeUndefined();
      expect(said("bad")[0]).toContain(`the rule threw `);
      expect(said("bad")[0]).toContain(reason);
      await tell("bad", 5);
      await eventually(() => expect(quarantine("bad")).toContain("threw on 5 events in a row"));
      expect(loop.state.memories.get("bad")).toBeUndefined();
    },
  );

  test("throws now and then goes on", async () => {
    await apply({ bad: onOwn("bad", "if (context.event.n % 5 > 0) throw new Error('no');") });
    for (let n = 1; n <= 12; n += 1) await tell("bad", n);
    expect(quarantine("bad")).toBeUndefined();
  });

  test("remembers more and more is stopped, and may go on after a fix with what it has", async () => {
    const grow = (chars: number) =>
      onOwn(
        "bad",
        `context.memory.set("k" + context.event.n, "x".repeat(${chars}));\ncontext.why("n is " + context.event.n);`,
      );
    await apply({ bad: grow(1_000_000) });
    for (let n = 1; n <= 17; n += 1) await tell("bad", n);
    await eventually(() => expect(quarantine("bad")).toContain("more than 16777216 together"));
    await tell("bad", 18);
    expect(loop.state.kept.of("bad")).toHaveLength(1);
    await apply({ bad: onOwn("bad", "context.why('fixed');") });
    await submit("RuleEnableRequested", { operation: "enable", file: "bad" });
    await eventually(() => expect(said("bad").at(-1)).toBe("fixed"));
    expect([loop.state.kept.size, quarantine("bad")]).toEqual([0, undefined]);
  });
});

test("of files that loop, throw and grow each is in quarantine alone, and events are decided when it is back", async () => {
  const files = {
    loops: onOwn("loops", "for (;;);"),
    throws: onOwn("throws", "throw new Error('no');"),
    grows: onOwn("grows", `context.memory.set("k" + context.event.n, "x".repeat(1_000_000));`),
    good: onOwn("good", saysN),
  };
  await apply(files);
  for (let n = 1; n <= 17; n += 1) {
    await tell("grows", n);
    if (n <= 5) await tell("throws", n);
    await tell("good", n);
  }
  await tell("loops", 1);
  const bad = ["loops", "throws", "grows"] as const;
  await eventually(() => expect(bad.map(quarantine)).not.toContain(undefined));
  for (const file of [...bad, "good"]) await tell(file, 100);
  expect(said("good")).toHaveLength(18);
  expect(loop.state.kept.files()).toEqual([...bad].sort());
  const fixed = Object.fromEntries(bad.map((file) => [file, onOwn(file, saysN)]));
  await apply(fixed);
  for (const file of bad) await submit("RuleEnableRequested", { operation: `e-${file}`, file });
  await eventually(() => expect(loop.state.kept.size).toBe(0));
  for (const file of bad) expect(said(file).at(-1)).toBe("n is 100");
});

test("a file that does not load, or never ends to, takes no part, and says why", async () => {
  await apply({
    broken: "module.exports.default = ;",
    clock: "module.exports.default =\nDate.now();",
    empty: "module.exports.default = 1;",
    spins: "for (;;);",
    good: onOwn("good", saysN),
  });
  await eventually(() => expect(quarantine("spins")).toContain("does not load within"));
  expect(quarantine("broken")).toContain("Unexpected token");
  expect(quarantine("clock")).toContain("Date.now() is not there");
  expect(quarantine("empty")).toContain("not the value of defineRules");
  await tell("good", 1);
  await eventually(() => expect(said("good")).toEqual(["n is 1"]));
});

test("a file that a person disabled takes no part until it is enabled, and nothing is kept for it", async () => {
  await apply({ mine: onOwn("mine", saysN) });
  await submit("RuleDisableRequested", { operation: "d", file: "mine", reason: "noisy" });
  expect(await tell("mine", 1)).toMatchObject({ error: { code: "HAL_EVENT_UNKNOWN" } });
  await apply({ mine: onOwn("mine", `${saysN} // anew`) });
  expect(loop.state.graph.get("RuleFile", "mine")?.attributes.disabled).toBe("noisy");
  await submit("RuleEnableRequested", { operation: "e", file: "mine" });
  await tell("mine", 2);
  await eventually(() => expect(said("mine")).toEqual(["n is 2"]));
});

test("an invariant that never ends puts its file alone into quarantine, and the record is decided without it", async () => {
  const bad = `${head.replace("defineRules,", "defineInvariant, defineRules,")}
const spin = defineInvariant("spin", {
  reads: ["RuleFile"],
  holds: ({ graph }) => {
    if (graph.get("RuleFile", "good").attributes.rules.length > 1) for (;;);
    return true;
  },
});
module.exports.default = defineRules({}, { invariants: [spin], events: [event("bad")] });`;
  const edit = "context.update.edit('RuleFile', 'good', (file) => { file.rules.push('more'); });";
  await apply({ bad, good: onOwn("good", `${edit}\n${saysN}`) }, ["spin"]);
  expect(quarantine("bad")).toBeUndefined();
  expect(await tell("good", 1)).toMatchObject({ type: "accepted" });
  await eventually(() => expect(quarantine("bad")).toMatch(/its code ran \d+ ms without an end/));
  expect(said("good")).toEqual(["n is 1"]);
  expect(quarantine("good")).toBeUndefined();
});
