import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { memoryIo } from "../../testdata/memory-io.ts";
import { runHalonctl } from "./main.ts";

const directory = mkdtempSync(join(tmpdir(), "halon-cli-conform-"));
const file = join(directory, "it.service.ts");

afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function conform(start: string, ...options: readonly string[]) {
  const head = 'name: "it", version: "1.0.0", config: z.object({ port: z.number().default(1) })';
  writeFileSync(
    file,
    `import { defineService, z } from "@halon/service";
export default defineService({ ${head}, start: ${start} });`,
  );
  const { io, written } = memoryIo();
  const exit = await runHalonctl(["service", "conform", file, ...options], io);
  return { exit, ...written };
}

test("what keeps the contract ends with 0; talk is on stderr, a table of 80 columns and the counts on stdout", async () => {
  const { exit, out, err } = await conform("() => ({})", "--only", "starts");
  expect(exit).toBe(0);
  expect(err).toMatch(/^starts and becomes ready within startTimeout \.\.\. ok \d+ ms$/m);
  expect(out).toMatch(/^CHECK +OUTCOME +MS +DETAIL\nloads +ok +\d+\nstarts +ok +\d+ +ready after/);
  expect(out).toMatch(/\n2 passed, 0 failed\n$/);
  expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
});

test("what breaks it ends with 7, says why, and names the checks", async () => {
  const long = "it ".repeat(100);
  const throws = `() => { throw new Error("no disk, ${long}"); }`;
  const { exit, out, err } = await conform(throws, "--only", "starts");
  expect(exit).toBe(7);
  expect(err).toMatch(/\.\.\. failed \d+ ms\n {2}it did not start: .*no disk/);
  expect(err).toMatch(/\nhalonctl: it fails starts\.\n$/);
  expect(out).toMatch(/\n1 passed, 1 failed\n$/);
  expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
});

test("a program gets all of it as JSON, and no talk with -q", async () => {
  const only = ["--only", "starts", "--config", '{"port":7}'];
  const { exit, out, err } = await conform("() => ({})", ...only, "-q", "-o", "json");
  expect({ exit, err }).toEqual({ exit: 0, err: "" });
  expect(JSON.parse(out)).toMatchObject({
    type: "it",
    kind: "worker",
    passed: 2,
    failed: 0,
    checks: [{ check: "loads" }, { check: "starts", outcome: "ok" }],
  });
});

test.each([
  [["--only", "all"], 2, "one of loads, starts"],
  [["--config", "[1]"], 2, "a JSON object"],
  [["--config", '{"port":"x"}'], 2, "config.port"],
])("%j ends with %i", async (options, exit, text) => {
  const result = await conform("() => ({})", ...options);
  expect(result.exit).toBe(exit);
  expect(result.err).toContain(text);
});
