import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../runtime/testing.ts";
import { checkRuleFile } from "./check-rules.ts";
import { compileRuleFile } from "./compile-rules.ts";

const good = `import { defineEvent, defineRules, on, z } from "@halon/rules";
import { text } from "./text.ts";
const Alarm = defineEvent({ type: "Alarm", schema: z.strictObject({ what: z.string() }) });
export default defineRules({
  one: on(Alarm).do(({ why }) => why(text)),
  two: on(Alarm).do(() => undefined),
});`;

function write(text: string, name = "mine.rules.ts"): string {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "text.ts"), 'export const text: string = "hm";');
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

test("a rule file is read as names of rules and schemas of events", async () => {
  const { manifest } = await compileRuleFile(write(good));
  expect(manifest).toMatchObject({
    name: "mine",
    rules: ["one", "two"],
    events: [{ type: "Alarm", version: 1, schema: { type: "object" } }],
  });
});

test("equal rule files give equal scripts wherever they stand", async () => {
  const one = await compileRuleFile(write(good));
  expect((await compileRuleFile(write(good))).blob.hash).toBe(one.blob.hash);
});

test("a rule file in JavaScript is one like any other", async () => {
  const text = 'import { defineRules } from "@halon/rules";\nexport default defineRules({});';
  expect((await compileRuleFile(write(text, "mine.rules.js"))).manifest.rules).toEqual([]);
});

/** A rule of several steps; its state `waiting` is left by this. */
const chart = (
  leave: string,
) => `import { by, defineRules, effect, events, setup, statechart } from "@halon/rules";
const machine = setup({ actions: { tell: effect } }).createMachine({
  context: ({ input }) => ({ node: input.data.node }),
  initial: "waiting",
  states: { waiting: { entry: "tell", ${leave} }, done: { type: "final" } },
});
const on = [by(events.NodeLost, (e) => e.node), by(events.NodeJoined, (e) => e.node)];
const mend = statechart({ on, starts: [events.NodeLost], machine, effects: { tell: () => undefined } });
export default defineRules({ mend });`;

test("a rule of several steps is one of the file", async () => {
  const { manifest } = await compileRuleFile(write(chart('after: { 1000: "done" }')));
  expect(manifest).toMatchObject({ rules: ["mend"], events: [] });
});

test("a statechart that cannot be a job is refused, with file, rule and state", async () => {
  await expect(compileRuleFile(write(chart('on: { NodeJoined: "done" }')))).rejects.toMatchObject({
    code: "HAL_CONFIG_INVALID",
    message: expect.stringMatching(/mine\.rules\.ts:9: rule mend: the state waiting is not left/),
  });
});

const end = "\nexport default 1;";

describe("a bad rule file is refused with the line and what is wrong:", () => {
  test.each([
    ["a syntax error", `\nconst x = ;${end}`, ":2:11", "Unexpected"],
    ["a missing file", `import "./none.ts";${end}`, ":1:8", "./none.ts"],
    ["a package", `\nimport { Q } from "zod";\nexport default Q;`, ":2:19", "zod is not there"],
    ["a part of Node", `import fs from "node:fs";\nexport default fs;`, ":1:16", "node:fs"],
    ["require", `export const x = require("fs");${end}`, ":1:26", "fs is not there"],
    ["require of a value", `const x = (n) => require(n);\nexport default x;`, ":1:18", "require"],
    ["import()", `export const x = () =>\n import("./text.ts");${end}`, ":2:9", "import() is not"],
    ["import() of a value", `const x = (n) => import(n);\nexport default x;`, ":1:18", "import"],
    ["eval", `const x = (n) => eval(n);\nexport default x;`, ":1:18", "eval"],
    ["import.meta", `export default import.meta.url;`, ":1:16", "import.meta"],
    ["await", `const x = await 1;\nexport default x;`, ":1:11", "await"],
    ["two rules of one name", `\nexport default { a: 1, a: 2 };`, ":2:24", 'Duplicate key "a"'],
    ["a clock", `\nexport default Date.now();`, ":2 throws", "Date.now() is not there"],
    ["a timer", `export default\nsetTimeout(() => 1, 1);`, ":2 throws", "use timer.after"],
    ["the process", `export default\nprocess.exit(3);`, ":2 throws", "process is not there"],
    ["an error", `\nthrow new TypeError("no good");${end}`, ":2 throws", "TypeError: no good"],
    ["endless recursion", `const f = () =>\n f() + 1;\nexport default f();`, ":2", "call stack"],
  ])("%s", async (_, text, where, message) => {
    await expect(compileRuleFile(write(text))).rejects.toMatchObject({
      code: "HAL_COMPILE_FAILED",
      message: expect.stringContaining(`mine.rules.ts${where}`),
    });
    await expect(compileRuleFile(write(text))).rejects.toThrow(message);
  });

  test("no rules", async () => {
    await expect(compileRuleFile(write("export const x = 1;"))).rejects.toThrow(
      "export default defineRules",
    );
  });

  test("a large file, before it is read, with its size", async () => {
    const path = write(`// ${"x".repeat(50_000_000)}${end}`);
    await expect(compileRuleFile(path)).rejects.toMatchObject({
      code: "HAL_TOO_LARGE",
      message: expect.stringContaining("has 50000021 bytes"),
    });
  });

  test("a large file that it imports", async () => {
    const path = write('import { text } from "./text.ts";\nexport default text;');
    writeFileSync(join(path, "../text.ts"), `export const text = "${"x".repeat(2_000_000)}";`);
    await expect(compileRuleFile(path)).rejects.toThrow("text.ts has 2000023 bytes");
  });
});

const optional = `import { count, defineEvent, defineInvariant, defineRules, on, z } from "@halon/rules";
const Alarm = defineEvent({
  type: "Alarm", version: 2, schema: z.strictObject({ what: z.string() }), from: { 1: () => ({ what: "?" }) },
});
export default defineRules(
  (options) => ({ many: on(count(Alarm, { atLeast: options.errors, within: "1m", by: (e) => e.what })).do(() => undefined) }),
  {
    options: z.strictObject({ errors: z.number().int().min(2).default(3) }),
    invariants: [defineInvariant("few", { reads: ["Node"], holds: () => true })],
  },
);`;

test("a rule file with options is read as what its code makes of them", async () => {
  const path = write(optional);
  const { manifest } = await compileRuleFile(path, { errors: 5 });
  expect(manifest).toMatchObject({
    options: { errors: 5 },
    optionsSchema: { properties: { errors: { default: 3 } } },
    patterns: { many: { atLeast: 5 } },
    invariants: ["few"],
    events: [{ type: "Alarm", version: 2, from: [1] }],
  });
  const { manifest: standard } = await compileRuleFile(path);
  expect([standard.options, standard.blob]).toEqual([{ errors: 3 }, manifest.blob]);
});

test("options that its schema refuses are told with file, path, value and what is allowed", async () => {
  await expect(compileRuleFile(write(optional), { errors: 1 })).rejects.toMatchObject({
    code: "HAL_CONFIG_INVALID",
    message: expect.stringMatching(
      /mine\.rules\.ts: options\.errors: Too small.*got 1\. The file takes errors \(integer from 2, default 3\)/,
    ),
  });
});

test("a file may be an invariant and nothing else", async () => {
  const text = `import { defineInvariant } from "@halon/rules";
export default defineInvariant("few", { reads: ["Node"], holds: () => true });`;
  const { manifest } = await compileRuleFile(write(text, "few-nodes.invariant.ts"));
  expect(manifest).toMatchObject({ name: "few-nodes", rules: [], invariants: ["few"] });
});

describe("a rule file whose value is not at hand, or that reaches for what all share, is refused:", () => {
  const head = 'import { defineRules, z } from "@halon/rules";\n';
  test.each([
    ["a promise", `export default (async () => defineRules({}))();`, "export default defineRules"],
    [
      "rules as a promise",
      `export default defineRules(async () => ({}), { options: z.strictObject({}) });`,
      "not a promise of one",
    ],
    [
      "a changed prototype",
      `Object.prototype.x = 1;\nexport default defineRules({});`,
      "mine.rules.ts:2",
    ],
    [
      "a changed array",
      `Array.prototype.map = null;\nexport default defineRules({});`,
      "mine.rules.ts:2",
    ],
    [
      "a changed package",
      `defineRules.x = 1;\nz.x = 1;\nexport default defineRules({});`,
      "mine.rules.ts:",
    ],
  ])("%s", async (_, text, message) => {
    await expect(compileRuleFile(write(head + text))).rejects.toThrow(message);
  });
});

describe("a check with types", () => {
  test("names the place where a rule reads a field that its event has not", async () => {
    const text = good
      .replace("why(text)", "why(text + event.wat)")
      .replace("({ why })", "({ why, event })");
    const { problems, notice } = await checkRuleFile(write(text));
    expect(notice).toBeUndefined();
    expect(problems).toEqual([
      {
        ...{ file: "mine.rules.ts", line: 5, column: 58 },
        message: expect.stringContaining("Property 'wat' does not exist"),
      },
    ]);
  });

  test("finds nothing in a good file, and says what it has", async () => {
    const { manifest, problems } = await checkRuleFile(write(optional), { errors: 4 });
    expect([problems, manifest.rules, manifest.options]).toEqual([[], ["many"], { errors: 4 }]);
  });

  test("of JavaScript says that there was none", async () => {
    const text = 'import { defineRules } from "@halon/rules";\nexport default defineRules({});';
    expect((await checkRuleFile(write(text, "mine.rules.js"))).notice).toContain("no TypeScript");
  });

  test.each([
    ["no file", "none.rules.ts", "HAL_NOT_FOUND"],
    ["a directory", ".", "HAL_USAGE"],
  ])("of %s is refused", async (_, name, code) => {
    await expect(checkRuleFile(join(temporaryDirectory(), name))).rejects.toMatchObject({ code });
  });
});
