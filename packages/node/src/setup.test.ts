import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDataDir } from "./data-dir.ts";
import { loadSetup, saveSetup } from "./setup.ts";

const wanted = { name: "node-1", role: "tracking" as const, now: 1_000 };
let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "halon-setup-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function codeOf(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

test("the ids of a node survive its restart, and its incarnation grows even when the clock goes back", () => {
  const first = loadSetup(dir, wanted);
  const second = loadSetup(dir, { ...wanted, now: 5 });
  expect(second.clusterId).toBe(first.clusterId);
  expect(second.incarnation).toBe(first.incarnation + 1);
});

test("a setup.json cut at any byte stops the start and is not overwritten", () => {
  loadSetup(dir, wanted);
  const path = join(dir, "setup.json");
  const whole = readFileSync(path);
  for (let length = 0; length < whole.length - 1; length += 1) {
    writeFileSync(path, whole.subarray(0, length));
    expect(codeOf(() => loadSetup(dir, wanted))).toBe("HAL_DATA_DIR_INVALID");
    expect(readFileSync(path)).toEqual(whole.subarray(0, length));
  }
});

test.each([
  {
    name: "a changed id",
    change: (text: string) => text.replace(/"incarnation": \d+/, '"incarnation": 9'),
    code: "HAL_DATA_DIR_INVALID",
  },
  {
    name: "an unknown field",
    change: (text: string) => text.replace('"format"', '"extra": 1, "format"'),
    code: "HAL_DATA_DIR_INVALID",
  },
  {
    name: "another format",
    change: (text: string) => text.replace('"format": 1', '"format": 2'),
    code: "HAL_DATA_DIR_VERSION",
  },
  { name: "null", change: () => "null", code: "HAL_DATA_DIR_INVALID" },
  { name: "an empty object", change: () => "{}", code: "HAL_DATA_DIR_INVALID" },
])("$name in setup.json is refused", ({ change, code }) => {
  loadSetup(dir, wanted);
  const path = join(dir, "setup.json");
  writeFileSync(path, change(readFileSync(path, "utf8")));
  expect(codeOf(() => loadSetup(dir, wanted))).toBe(code);
});

test("another name or role than the directory's is refused", () => {
  loadSetup(dir, wanted);
  expect(codeOf(() => loadSetup(dir, { ...wanted, name: "node-2" }))).toBe("HAL_CONFLICT");
  expect(codeOf(() => loadSetup(dir, { ...wanted, role: "satellite" }))).toBe("HAL_CONFLICT");
});

test("setup.json is for its owner alone, and nothing is left beside it", () => {
  const setup = loadSetup(dir, wanted);
  saveSetup(dir, { ...setup, leader: "127.0.0.1:8528" });
  expect(statSync(join(dir, "setup.json")).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir)).toEqual(["setup.json"]);
});

test("a data directory has one user at a time, and is free again when that one lets go", async () => {
  const first = await openDataDir(join(dir, "data"));
  await expect(openDataDir(join(dir, "data"))).rejects.toMatchObject({
    code: "HAL_DATA_DIR_LOCKED",
  });
  first.release();
  const second = await openDataDir(join(dir, "data"));
  expect(statSync(second.path).mode & 0o777).toBe(0o700);
  second.release();
});

test("a file where the data directory should be is refused", async () => {
  writeFileSync(join(dir, "file"), "");
  await expect(openDataDir(join(dir, "file"))).rejects.toMatchObject({
    code: "HAL_DATA_DIR_INVALID",
  });
});
