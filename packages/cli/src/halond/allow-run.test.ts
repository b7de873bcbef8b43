import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readAllowedPrograms } from "./allow-run.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "halon-allow-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function read(text: string) {
  const path = join(directory, "allow.yaml");
  writeFileSync(path, text);
  return readAllowedPrograms(path);
}

test("a program is as the file says it, and takes no arguments where that is all", () => {
  const programs = read(`
mkfs:
  command: [/sbin/mkfs, -t, ext4]
  timeout: 90s
  args: { max: 1, pattern: "/dev/sd[a-z]" }
  env: { LANG: C }
sync: { command: [sync] }
`);
  expect([...programs]).toEqual([
    [
      "mkfs",
      {
        command: ["/sbin/mkfs", "-t", "ext4"],
        timeoutMs: 90_000,
        args: { max: 1, pattern: /^(?:\/dev\/sd[a-z])$/u },
        env: { LANG: "C" },
      },
    ],
    ["sync", { command: ["sync"], timeoutMs: 600_000, args: { max: 0 }, env: {} }],
  ]);
});

test("JSON is read too, and an empty file allows nothing", () => {
  expect(read('{ "sync": { "command": ["sync"] } }').size).toBe(1);
  expect(read("").size).toBe(0);
});

test.each([
  { text: "sync: { command: [sync], user: root }", flaw: /sync: .*user/ },
  { text: "sync: { command: sync }", flaw: /sync\.command: / },
  { text: "sync: { command: [] }", flaw: /sync\.command/ },
  { text: "sync: { command: [./sync] }", flaw: /sync\.command\.0: expected an absolute path/ },
  { text: "sync: { command: [sync], timeout: soon }", flaw: /sync\.timeout/ },
  { text: "sync: { command: [sync], args: { max: 65 } }", flaw: /sync\.args\.max/ },
  {
    text: "sync: { command: [sync], args: { max: 1, pattern: '(' } }",
    flaw: /sync\.args\.pattern/,
  },
  { text: "sync: { command: [sync], env: { 'A=B': x } }", flaw: /sync\.env/ },
  { text: "../sync: { command: [sync] }", flaw: /\.\.\/sync/ },
  { text: "- sync", flaw: /is not valid/ },
  { text: "sync: [", flaw: /cannot be read/ },
])("$text is an error that names the file and the field", ({ text, flaw }) => {
  const path = join(directory, "allow.yaml");
  expect(() => read(text)).toThrow(
    expect.objectContaining({ code: "HAL_USAGE", message: expect.stringMatching(flaw) }),
  );
  expect(() => read(text)).toThrow(path);
});

test("the file of the guide to effects is one", () => {
  const page = readFileSync(new URL("../../../../docs/rules/effects.md", import.meta.url), "utf8");
  const [, text = ""] = /^```yaml\n(.*?)^```/ms.exec(page) ?? [];
  expect([...read(text).keys()]).toEqual(["collect-logs", "sync"]);
});
