import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lastLines, outputPath, pollDelayMs } from "./output.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "halon-output-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const write = (text: string) => writeFileSync(outputPath(directory), text);

test("the last five lines are shown, without escapes and empty lines", () => {
  write("1\n2\n3\n\n\u001b[31m4\u001b[0m\r\n5\n6\u0007!\n7");
  expect(lastLines(directory, 0)).toEqual(["3", "4", "5", "6 !", "7"]);
});

test("at most 1 KiB is shown, and no half characters", () => {
  write(`${"a".repeat(2_000)}\n${"ö".repeat(300)}\n`);
  const lines = lastLines(directory, 0);
  expect(lines.at(-1)).toBe("ö".repeat(300));
  expect(Buffer.byteLength(lines.join("\n"))).toBeLessThanOrEqual(1_024);
  expect(lines.join("")).not.toContain("\ufffd");
});

test("what an earlier instance wrote is not shown", () => {
  write("old\nnew\n");
  expect(lastLines(directory, 4)).toEqual(["new"]);
  expect(lastLines(directory, 8)).toEqual([]);
});

test("after the output was emptied, what stands there and in the older part is shown", () => {
  writeFileSync(join(directory, "output.1.log"), "older\n");
  write("");
  expect(lastLines(directory, 100)).toEqual(["older"]);
  write("newer\n");
  expect(lastLines(directory, 100)).toEqual(["newer"]);
});

test("output that is not there has no lines", () => {
  expect(lastLines(join(directory, "none"), 0)).toEqual([]);
});

test.each([
  { name: "nothing written", grownBytes: 0, elapsedMs: 250, leftBytes: 1_000, delay: 250 },
  { name: "slow growth", grownBytes: 10, elapsedMs: 250, leftBytes: 1_000_000, delay: 250 },
  { name: "full in 100 ms", grownBytes: 1_000, elapsedMs: 10, leftBytes: 10_000, delay: 50 },
  { name: "a flood", grownBytes: 1e9, elapsedMs: 10, leftBytes: 10_000, delay: 5 },
])("the faster it grows, the sooner it is looked at: $name", ({ delay, ...growth }) => {
  expect(pollDelayMs(growth)).toBe(delay);
});
