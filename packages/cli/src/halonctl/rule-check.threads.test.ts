import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { memoryIo } from "../../testdata/memory-io.ts";
import { runHalonctl } from "./main.ts";

const directory = mkdtempSync(join(tmpdir(), "halon-cli-check-"));
const file = join(directory, "it.rules.ts");

afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function check(rule: string, ...more: readonly string[]) {
  writeFileSync(
    file,
    `import { defineEvent, defineRules, on, z } from "@halon/rules";
const Alarm = defineEvent({ type: "Alarm", schema: z.strictObject({ what: z.string() }) });
export default defineRules((options) => ({ it: ${rule} }), {
  options: z.strictObject({ n: z.number().default(1) }),
});`,
  );
  const { io, written } = memoryIo();
  const exit = await runHalonctl(["rule", "check", file, ...more], io);
  return { exit, ...written };
}

const good = "on(Alarm).do(({ event, why }) => why(event.what + options.n))";

test("a good file ends with 0, and its rules are counted", async () => {
  const { exit, out } = await check(good, "n=5");
  expect([exit, out]).toEqual([0, `${file}: 1 rules, no errors\n`]);
});

test("a rule that reads a field its event has not ends with 7, with place and reason", async () => {
  const { exit, out, err } = await check(good.replace("event.what", "event.wat"));
  expect(exit).toBe(7);
  expect(out).toMatch(/^it\.rules\.ts:3:\d+ Property 'wat' does not exist/);
  expect(err).toContain("has 1 type error. The first: it.rules.ts:3:");
});

test.each([
  ["does not compile", "on(Alarm", [], "it.rules.ts:3:", 7],
  ["throws", "null.x", [], "it.rules.ts:3", 7],
  ["gets an option that it refuses", good, ["n=x"], 'options.n: expected number, got "x"', 7],
  ["gets what is no option", good, ["n"], "Expected an option as name=value", 2],
])("a file that %s is told, with its own exit code", async (_, rule, more, message, code) => {
  const { exit, err } = await check(rule, ...more);
  expect(exit).toBe(code);
  expect(err).toContain(message);
});

test("a file that is not there ends with 3", async () => {
  const { io } = memoryIo();
  expect(await runHalonctl(["rule", "check", join(directory, "none.rules.ts")], io)).toBe(3);
});
