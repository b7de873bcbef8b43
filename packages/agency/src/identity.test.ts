import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { clusterOf, newIdentity, readIdentity, writeIdentity } from "./identity.ts";
import { makeDir, startTestMember } from "./testing.ts";

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

test("what was written is read, for its owner alone, with nothing left beside it", () => {
  const dir = makeDir(cleanUps);
  const identity = newIdentity("127.0.0.1:1", 3, ["127.0.0.1:2"]);
  expect(readIdentity(dir)).toBe(null);
  writeIdentity(dir, identity);
  expect(readIdentity(dir)).toEqual(identity);
  expect(readdirSync(dir)).toEqual(["agency.json"]);
  expect(statSync(join(dir, "agency.json")).mode & 0o777).toBe(0o600);
});

test("the id of an agency depends on who is in it, not on their order", () => {
  expect(clusterOf({ a: "1", b: "2" })).toBe(clusterOf({ b: "3", a: "4" }));
  expect(clusterOf({ a: "1" })).not.toBe(clusterOf({ b: "1" }));
});

test.each([
  { name: "one byte changed", change: (text: string) => text.replace("AGNT", "AGNX") },
  { name: "the end missing", change: (text: string) => text.slice(0, -30) },
  { name: "empty", change: () => "" },
  { name: "fields of another file", change: () => signed({ format: 1, id: "x" }) },
])("a file with $name stops the start, and stays as it is", async ({ change }) => {
  const dir = makeDir(cleanUps);
  writeIdentity(dir, newIdentity("127.0.0.1:1", 1, []));
  const path = join(dir, "agency.json");
  writeFileSync(path, change(readFileSync(path, "utf8")));
  const before = readFileSync(path, "utf8");
  await expect(startTestMember(dir)).rejects.toMatchObject({
    code: "HAL_DATA_DIR_INVALID",
    message: expect.stringContaining("agency member remove"),
  });
  expect(readFileSync(path, "utf8")).toBe(before);
});

test("a file of a newer format names the version that is needed", () => {
  const dir = makeDir(cleanUps);
  writeFileSync(join(dir, "agency.json"), signed({ format: 2 }));
  expect(() => readIdentity(dir)).toThrow(
    expect.objectContaining({ code: "HAL_DATA_DIR_VERSION" }),
  );
});

function signed(value: unknown): string {
  const body = JSON.stringify(value);
  return `${crc32(body).toString(16).padStart(8, "0")}\n${body}\n`;
}
