import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningAgencyNode, startAgencyNode } from "@halon/node/agency";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { memoryIo } from "../../../testdata/memory-io.ts";
import { openAgency } from "../../halond/agency/open.ts";
import { agencyOptions } from "../../halond/agency/options.ts";
import { rebuildAgency } from "../../halond/agency/rebuild.ts";
import { runHalonctl } from "../main.ts";

const directory = mkdtempSync(join(tmpdir(), "halonctl-agency-"));
const file = join(directory, "saved");
let node: RunningAgencyNode;

beforeAll(async () => {
  node = await start("a1");
});

afterAll(async () => {
  await node.stop();
  rmSync(directory, { recursive: true });
});

/** An agency of one, which has a leader. */
async function start(name: string): Promise<RunningAgencyNode> {
  const around = { hostname: "h", directory, isTerminal: false };
  const raw = { name, dataDir: name, listen: "127.0.0.1:0", agencySize: "1", logLevel: "fatal" };
  const options = agencyOptions(raw, around);
  const started = await startAgencyNode(options.node, openAgency(options));
  const ready = async () =>
    expect((await fetch(`http://${started.endpoint}/readyz`)).status).toBe(200);
  await vi.waitFor(ready, { timeout: 20_000 });
  return started;
}

async function run(...args: readonly string[]) {
  const { io, written } = memoryIo({ HALON_ENDPOINT: node.endpoint });
  const exit = await runHalonctl(args, io);
  return { exit, ...written };
}

test("what is written is read with every digit", async () => {
  const big = "18446744073709551615";
  const written = await run("agency", "write", `{"/a":{"b":${big}}}`, "-o", "ndjson");
  expect(written).toMatchObject({
    exit: 0,
    err: "",
    out: expect.stringMatching(/^\{"results":\[\d+\]\}\n$/),
  });
  expect(await run("agency", "read", "/a/b", "-o", "ndjson")).toMatchObject({
    exit: 0,
    out: `{"a":{"b":${big}}}\n`,
  });
  expect((await run("agency", "read", "/a")).out).toBe(`{\n  "a": {\n    "b": ${big}\n  }\n}\n`);
  expect((await run("agency", "read", "/a", "-o", "yaml")).out).toBe(`a:\n  b: ${big}\n`);
});

test.each([
  ["a precondition that fails", '[[{"/x":1},{"/x":{"old":5}}]]', 4, "precondition"],
  ["what is reserved", '{"/.agency":1}', 1, "reserved"],
  ["an operator that does not fit", '{"/x":{"op":"push"}}', 1, "operator"],
  ["no JSON", "{", 2, "JSON"],
  ["a malformed transaction", "[[1]]", 2, "HAL_BAD_REQUEST"],
])("a write of %s changes nothing and says so", async (_, json, exit, named) => {
  const { err, ...rest } = await run("agency", "write", json);
  expect([rest.exit, err]).toEqual([exit, expect.stringContaining(named)]);
  expect(err).toMatch(/^halonctl: [^\n]*\n$/);
  expect((await run("agency", "read", "/x", "-o", "ndjson")).out).toBe("{}\n");
});

test("members and configuration are shown, in 80 columns for people", async () => {
  const { out } = await run("agency", "member", "list");
  expect(out).toContain(node.endpoint);
  expect(out).toContain("leader");
  for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  expect((await run("agency", "config", "-o", "name")).out).toBe(`${node.id}\n`);
  expect(JSON.parse((await run("agency", "member", "list", "-o", "json")).out)).toMatchObject([
    { id: node.id, address: node.endpoint, role: "leader" },
  ]);
});

test.each([
  [["agency", "member", "remove", "ghost"], 3, "HAL_NOT_FOUND"],
  [["agency", "member", "promote", "ghost"], 3, "HAL_NOT_FOUND"],
  [["agency", "transfer-leader", "ghost"], 3, "HAL_NOT_FOUND"],
  [["agency", "member", "add", "nowhere"], 2, "HAL_BAD_REQUEST"],
  [["agency", "read"], 2, "path"],
  [["-e", "127.0.0.1:9", "agency", "config", "--timeout", "300ms"], 5, "HAL_UNREACHABLE"],
  [["snapshot", "verify", "/nowhere/at/all"], 3, "HAL_NOT_FOUND"],
  [["snapshot", "restore", "/nowhere/at/all"], 2, "--data-dir"],
])("halonctl %j ends with %i and one line", async (args, exit, named) => {
  const { err, ...rest } = await run(...args);
  expect([rest.exit, err]).toEqual([exit, expect.stringContaining(named)]);
  expect(err).toMatch(/^halonctl: [^\n]*\n$/);
});

test("a snapshot is saved, verified and restored into an agency of its own", async () => {
  await run("agency", "write", '{"/kept":{"op":"set","new":"ü"}}');
  expect(await run("snapshot", "save", file)).toMatchObject({ exit: 0 });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await run("snapshot", "verify", file, "-o", "json")).toMatchObject({ exit: 0, err: "" });
  const restored = join(directory, "restored");
  expect(await run("snapshot", "restore", file, "--data-dir", restored)).toMatchObject({ exit: 0 });
  expect(await run("snapshot", "restore", file, "--data-dir", restored)).toMatchObject({ exit: 1 });
  const other = await start("restored");
  const read = await run("-e", other.endpoint, "agency", "read", "/kept", "-o", "ndjson");
  await other.stop();
  expect(read.out).toBe('{"kept":"ü"}\n');
});

test("a snapshot that is damaged is neither verified nor restored", async () => {
  expect(await run("snapshot", "save", file)).toMatchObject({ exit: 0 });
  const damaged = join(directory, "damaged");
  writeFileSync(damaged, readFileSync(file, "utf8").replace("kept", "lost"));
  const into = join(directory, "never");
  for (const args of [
    ["verify", damaged],
    ["restore", damaged, "--data-dir", into],
  ]) {
    expect(await run("snapshot", ...args)).toMatchObject({
      exit: 1,
      err: expect.stringContaining("HAL_STORE_DAMAGED"),
    });
  }
  expect(existsSync(into)).toBe(false);
});

test("a lost agency is rebuilt from one member, only when that is said", async () => {
  const { io, written } = memoryIo();
  const dataDir = join(directory, "restored");
  await expect(rebuildAgency({ dataDir }, io)).rejects.toThrow(/--accept-loss/);
  await expect(rebuildAgency({ acceptLoss: true }, io)).rejects.toThrow(/--data-dir/);
  const used = { dataDir: join(directory, "a1"), acceptLoss: true };
  await expect(rebuildAgency(used, io)).rejects.toMatchObject({ code: "HAL_DATA_DIR_LOCKED" });
  await rebuildAgency({ dataDir, acceptLoss: true }, io);
  expect(written.out).toMatch(/^id=AGNT-\S+ cluster=\S+ index=\d+\n$/);
  const other = await start("restored");
  const read = await run("-e", other.endpoint, "agency", "read", "/kept", "-o", "ndjson");
  await other.stop();
  expect(read.out).toBe('{"kept":"ü"}\n');
});
