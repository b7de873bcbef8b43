import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readOutput } from "./output-log.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "halon-output-log-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("output that was just cut is read on from the older file, up to the limit", async () => {
  expect(await readOutput(directory, 100)).toBe("");
  writeFileSync(join(directory, "output.1.log"), "one\ntwo\n");
  writeFileSync(join(directory, "output.log"), "");
  expect(await readOutput(directory, 100)).toBe("one\ntwo\n");
  writeFileSync(join(directory, "output.log"), "three\n");
  expect(await readOutput(directory, 100)).toBe("one\ntwo\nthree\n");
  expect(await readOutput(directory, 8)).toBe("o\nthree\n");
  expect(await readOutput(directory, 4)).toBe("ree\n");
});
