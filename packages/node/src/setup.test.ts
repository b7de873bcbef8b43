import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { saveSetup } from "./bootstrap/setup-file.ts";
import type { Setup } from "./core/bootstrap-setup.ts";
import { nodeId, setupOf } from "./core/testing.ts";
import { openDataDir } from "./data-dir.ts";
import type { NodeOptions } from "./options.ts";
import { listensAt, loadSetup } from "./setup.ts";

const cluster = "11111111-1111-4111-8111-111111111111";
const other = "22222222-2222-4222-8222-222222222222";
const now = 2_000;
let dir = "";
let path = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "halon-setup-"));
  path = join(dir, "setup.json");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const complete = setupOf(1, {
  listen: { host: "127.0.0.1", port: 8528 },
  phase: "complete",
  role: "tracking",
  mode: "single",
  clusterId: cluster,
  agencySize: 1,
  store: "embedded",
  peers: [{ id: nodeId(1), name: "node-1", address: "127.0.0.1:8528", role: "tracking" }],
});

function options(changes: Partial<NodeOptions> = {}): NodeOptions {
  return {
    name: undefined,
    dataDir: dir,
    listen: undefined,
    advertise: undefined,
    labels: {},
    allowRun: undefined,
    join: [],
    agencySize: undefined,
    local: undefined,
    store: undefined,
    forgetSetup: false,
    insecure: false,
    log: { level: "info", format: "json", file: undefined },
    ...changes,
  };
}

function load(changes: Partial<NodeOptions> = {}): Setup {
  return loadSetup(dir, options(changes), now);
}

function refusal(changes: Partial<NodeOptions> = {}): { code: unknown; message: string } {
  try {
    load(changes);
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    return { code, message };
  }
  throw new Error("it was not refused");
}

test("a first start makes an id and writes nothing before its port is known", () => {
  const setup = load({ name: "web", listen: { host: "127.0.0.1", port: 0 } });
  expect(setup).toMatchObject({ name: "web", phase: "joining", clusterId: null, incarnation: now });
  expect(readdirSync(dir)).toEqual([]);
  expect(listensAt(setup, 4711).listen).toEqual({ host: "127.0.0.1", port: 4711 });
  expect(load().id).not.toBe(setup.id);
});

test("a relaunch gives the same setup, and an incarnation that grows when the clock goes back", () => {
  saveSetup(dir, { ...complete, incarnation: 5_000 });
  expect(load()).toEqual({ ...complete, incarnation: 5_001 });
  expect(load()).toEqual({ ...complete, incarnation: 5_002 });
});

test("an option that contradicts the setup ends the start and changes nothing", () => {
  saveSetup(dir, complete);
  const before = readFileSync(path);
  expect(refusal({ name: "web" })).toMatchObject({ code: "HAL_CONFLICT" });
  expect(readFileSync(path)).toEqual(before);
});

test("a listener that others reach needs --insecure at each start", () => {
  const peers = [{ ...complete.peers[0], address: "10.0.0.1:8528" }] as Setup["peers"];
  saveSetup(dir, { ...complete, listen: { host: "10.0.0.1", port: 8528 }, peers });
  expect(refusal()).toMatchObject({ code: "HAL_USAGE" });
  expect(load({ insecure: true }).listen.host).toBe("10.0.0.1");
});

test("setup.json is for its owner alone, and nothing is left beside it", () => {
  saveSetup(dir, complete);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir)).toEqual(["setup.json"]);
});

test("what a crash left beside it is ignored, and gone with the next write", () => {
  saveSetup(dir, complete);
  writeFileSync(`${path}.new`, "half");
  expect(load().id).toBe(complete.id);
  expect(readdirSync(dir)).toEqual(["setup.json"]);
});

test("a file left beside it without a setup is a first start", () => {
  writeFileSync(`${path}.new`, "half");
  expect(load().clusterId).toBeNull();
});

test("a setup.json cut at any byte stops the start and is not overwritten", () => {
  saveSetup(dir, complete);
  const whole = readFileSync(path);
  for (let length = 0; length < whole.length; length += 1) {
    writeFileSync(path, whole.subarray(0, length));
    expect(refusal()).toMatchObject({
      code: "HAL_DATA_DIR_INVALID",
      message: expect.stringContaining("--forget-setup"),
    });
    expect(readFileSync(path)).toEqual(whole.subarray(0, length));
  }
}, 60_000);

const damages: readonly (readonly [string, (text: string) => string])[] = [
  ["a changed value", (text) => text.replace('"node-1"', '"node-7"')],
  ["another id", (text) => text.replace(nodeId(1), nodeId(2))],
  ["an unknown field", (text) => text.replace('"format"', '"extra": 1, "format"')],
  ["a key said twice", (text) => text.replace('"name"', '"name": "web", "name"')],
  ["a byte order mark", (text) => `\uFEFF${text}`],
  ["a wrong type", (text) => text.replace('"incarnation": 1000', '"incarnation": "1000"')],
  ["null", () => "null"],
  ["an array", () => "[]"],
  ["an empty object", () => "{}"],
  ["a setup of null", () => '{"setup": null, "checksum": ""}'],
  ["text behind it", (text) => `${text} `],
];
test.each(damages)("%s in setup.json stops the start, and the file stays as it is", (_, change) => {
  saveSetup(dir, complete);
  const damaged = change(readFileSync(path, "utf8"));
  writeFileSync(path, damaged);
  expect(refusal().code).toBe("HAL_DATA_DIR_INVALID");
  expect(readFileSync(path, "utf8")).toBe(damaged);
});

const [self] = complete.peers;
const contradictions: readonly (readonly [string, Partial<Setup>])[] = [
  ["no cluster", { clusterId: null }],
  ["no peers", { peers: [] }],
  ["other peers only", { peers: self === undefined ? [] : [{ ...self, id: nodeId(2) }] }],
  ["two peers with one id", { peers: self === undefined ? [] : [self, self] }],
  ["its own address wrong", { listen: { host: "127.0.0.1", port: 1 } }],
  ["its own name wrong", { name: "web" }],
  ["another role than its peer", { role: "satellite" }],
  ["too few tracking nodes", { agencySize: 3 }],
  ["a role while it joins", { phase: "joining" }],
  ["port 0", { listen: { host: "127.0.0.1", port: 0 } }],
];
test.each(contradictions)(
  "a setup with %s stops the start, whatever its checksum",
  (_, changes) => {
    saveSetup(dir, { ...complete, ...changes });
    expect(refusal().code).toBe("HAL_DATA_DIR_INVALID");
  },
);

const formats: readonly (readonly [number, string])[] = [
  [1, "--forget-setup"],
  [3, "newer halond"],
];
test.each(formats)("format %i is refused with its remedy: %s", (format, remedy) => {
  saveSetup(dir, complete);
  writeFileSync(path, readFileSync(path, "utf8").replace('"format": 2', `"format": ${format}`));
  const { code, message } = refusal();
  expect(code).toBe("HAL_DATA_DIR_VERSION");
  expect(message).toContain(remedy);
});

describe("setup.json that is no file of its owner alone:", () => {
  test.each([[0o644], [0o640], [0o602]])("mode %o is refused with the command", (mode) => {
    saveSetup(dir, complete);
    chmodSync(path, mode);
    expect(refusal()).toMatchObject({
      code: "HAL_DATA_DIR_INVALID",
      message: expect.stringContaining(`chmod 600 ${path}`),
    });
  });

  test.runIf(process.geteuid?.() === 0)("another owner", () => {
    saveSetup(dir, complete);
    chownSync(path, 12_345, 12_345);
    expect(refusal()).toMatchObject({ message: expect.stringContaining("12345") });
  });

  test("a directory", () => {
    mkdirSync(path);
    expect(refusal().code).toBe("HAL_DATA_DIR_INVALID");
  });

  test("a link", () => {
    writeFileSync(join(dir, "elsewhere"), "");
    symlinkSync(join(dir, "elsewhere"), path);
    expect(refusal().code).toBe("HAL_DATA_DIR_INVALID");
  });

  test("a pipe, without waiting for its other end", () => {
    execFileSync("mkfifo", ["-m", "600", path]);
    expect(refusal().code).toBe("HAL_DATA_DIR_INVALID");
  });

  test("a file of 1 GB, without reading it", () => {
    saveSetup(dir, complete);
    truncateSync(path, 1024 ** 3);
    expect(refusal().message).toContain("1073741824");
  });
});

describe("data without a setup", () => {
  test.each([["agency"], ["journal"]])("in %s/ stops the start", (name) => {
    mkdirSync(join(dir, name));
    expect(load().phase).toBe("joining");
    writeFileSync(join(dir, name, "1"), "data");
    expect(refusal()).toMatchObject({
      code: "HAL_DATA_DIR_INVALID",
      message: expect.stringContaining("--forget-setup"),
    });
  });
});

describe("an agency", () => {
  function agencyOf(id: string, clusterId: string): void {
    writeFileSync(join(dir, "agency.json"), `0\n${JSON.stringify({ id, cluster: clusterId })}\n`);
  }

  test("of the same node and cluster is fine", () => {
    saveSetup(dir, complete);
    agencyOf(`AGNT-${complete.id}`, cluster);
    expect(load().id).toBe(complete.id);
  });

  test("of another cluster stops the start, naming both ids", () => {
    saveSetup(dir, complete);
    agencyOf(`AGNT-${complete.id}`, other);
    const { code, message } = refusal();
    expect(code).toBe("HAL_CONFLICT");
    for (const id of [cluster, other]) expect(message).toContain(id);
  });

  test("of another node stops the start, naming both ids", () => {
    saveSetup(dir, complete);
    agencyOf(`AGNT-${nodeId(9)}`, cluster);
    const { code, message } = refusal();
    expect(code).toBe("HAL_CONFLICT");
    for (const id of [complete.id, nodeId(9)]) expect(message).toContain(id);
  });
});

describe("--forget-setup", () => {
  test("moves all that makes a node part of a cluster aside, and begins afresh", () => {
    saveSetup(dir, complete);
    for (const name of ["agency", "journal", "blobs"]) {
      mkdirSync(join(dir, name));
      writeFileSync(join(dir, name, "1"), name);
    }
    const setup = load({ forgetSetup: true });
    expect(setup).toMatchObject({ clusterId: null, phase: "joining" });
    expect(setup.id).not.toBe(complete.id);
    const [blobs, forgotten = "", ...rest] = readdirSync(dir);
    expect([blobs, rest]).toEqual(["blobs", []]);
    expect(forgotten).toMatch(/^forgotten-/);
    expect(readdirSync(join(dir, forgotten))).toEqual(["agency", "journal", "setup.json"]);
  });

  test("overwrites nothing that was forgotten before", () => {
    for (const _ of [1, 2]) {
      saveSetup(dir, complete);
      load({ forgetSetup: true });
    }
    expect(readdirSync(dir)).toHaveLength(2);
  });

  test("takes a damaged file, and does nothing where there is none", () => {
    load({ forgetSetup: true });
    expect(readdirSync(dir)).toEqual([]);
    writeFileSync(path, "half");
    expect(load({ forgetSetup: true }).phase).toBe("joining");
    expect(existsSync(path)).toBe(false);
  });
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
