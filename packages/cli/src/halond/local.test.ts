import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { memoryIo } from "../../testdata/memory-io.ts";
import { startLocal } from "./local.ts";
import {
  argumentsOf,
  type LocalOptions,
  localNode,
  masterAddress,
  shellLine,
} from "./local-nodes.ts";
import { startOptions } from "./options.ts";
import type { RawSettings } from "./settings.ts";

const fakeNode = join(import.meta.dirname, "../../testdata/fake-node.mjs");
const around = { hostname: "h", directory: "/srv", isTerminal: false };

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "halond-local-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function local(raw: RawSettings & { readonly local: string }): LocalOptions {
  const options = startOptions({ dataDir: directory, ...raw }, around);
  return { ...options, local: Number(raw.local) };
}

function makeKnown(...numbers: readonly number[]): void {
  for (const number of numbers) {
    mkdirSync(join(directory, `node-${number}`), { recursive: true });
    writeFileSync(join(directory, `node-${number}`, "setup.json"), "");
  }
}

test("nodes of a local cluster stand 10 ports apart, each with its own directory", () => {
  expect(localNode(local({ local: "3", logFile: "h.log" }), 2, "127.0.0.1:8528")).toMatchObject({
    name: "node-2",
    dataDir: join(directory, "node-2"),
    listen: { host: "127.0.0.1", port: 8538 },
    join: ["127.0.0.1:8528"],
    agencySize: 3,
    local: 2,
    log: { file: "/srv/h.log.node-2" },
  });
});

test.each([
  ["1", undefined, 1],
  ["2", undefined, 1],
  ["3", undefined, 3],
  ["7", undefined, 3],
  ["7", "5", 5],
  ["3", "1", 1],
] as const)("--local %s with --agency-size %s has %i tracking nodes", (count, given, size) => {
  expect(localNode(local({ local: count, agencySize: given }), 1, null).agencySize).toBe(size);
});

test("port 0 stays 0 for every node, and only the first can tell its own", () => {
  const options = local({ local: "2", listen: "127.0.0.1:0" });
  expect(localNode(options, 2, "127.0.0.1:1").listen?.port).toBe(0);
  expect(masterAddress(options)).toBeNull();
});

test("nodes that listen on all addresses reach each other over loopback", () => {
  const options = local({ local: "3", listen: "0.0.0.0:9000", insecure: true });
  expect(masterAddress(options)).toBe("127.0.0.1:9000");
  expect(localNode(options, 2, "127.0.0.1:9000").advertise).toBe("127.0.0.1:9010");
});

test("nodes that were there before start from their own setups", () => {
  makeKnown(1, 2);
  const options = local({ local: "3" });
  expect(localNode(options, 2, null)).toMatchObject({
    listen: undefined,
    join: [],
    agencySize: undefined,
  });
  expect(localNode(options, 3, "127.0.0.1:1")).toMatchObject({
    listen: { port: 8548 },
    join: ["127.0.0.1:1"],
    agencySize: undefined,
  });
});

test("nodes that are to forget start as if for the first time", () => {
  makeKnown(1, 2);
  expect(localNode(local({ local: "2", forgetSetup: true }), 2, "127.0.0.1:1")).toMatchObject({
    join: ["127.0.0.1:1"],
    agencySize: 1,
  });
});

test("the printed command survives a shell", () => {
  expect(shellLine(["halond", "a b", "it's", "--x=/y"])).toBe(`halond 'a b' 'it'\\''s' --x=/y`);
});

test("the command line of a node gives its options again", () => {
  const raw = {
    ...{ name: "web", dataDir: directory, listen: "[::1]:7", advertise: "db:7" },
    ...{ join: ["a:1,b:2"], label: ["zone=a"], insecure: true, agencySize: "5", localNode: "2" },
    ...{ store: "etcd://c:2379", forgetSetup: true, logFile: "/h.log" },
  };
  const { node } = startOptions(raw, around);
  const line = argumentsOf(node).join(" ");
  expect(line).toBe(
    `start --name web --data-dir ${directory} --listen [::1]:7 --advertise db:7 --join a:1 --join b:2 --agency-size 5 --local-node 2 --store etcd://c:2379 --label zone=a --forget-setup --insecure --log.level info --log.format json --log.file /h.log`,
  );
});

test("a launcher says when all are ready, how to start again what died, and leaves nothing behind", async () => {
  const { io, written, until } = memoryIo();
  const options = local({ local: "3", listen: "127.0.0.1:9100", forgetSetup: true });
  const ended = startLocal(options, [process.execPath, fakeNode], io);
  await until("out", /cluster ready endpoint=http:\/\/127\.0\.0\.1:9100 dashboard=none\n/);
  const pids: number[] = [];
  for (const name of ["node-1", "node-2", "node-3"]) {
    pids.push(Number((await until("err", new RegExp(`${name} \\| pid (\\d+)`)))[1]));
  }
  expect(written.out.match(/^halond ready /gm)).toHaveLength(3);
  process.kill(pids[1] ?? 0, "SIGKILL");
  const [, command] = await until("err", /node-2 was ended by SIGKILL\. .*\n {2}(.*)\n/);
  expect(command).toContain("--name node-2 ");
  expect(command).toContain("--join 127.0.0.1:9100 ");
  expect(command).not.toContain("--forget-setup");
  process.emit("SIGTERM");
  expect(await ended).toBe(0);
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

test("a node that does not become ready ends the others", async () => {
  const { io } = memoryIo();
  const program = [process.execPath, "-e", "process.exit(3)", "--"];
  await expect(startLocal(local({ local: "2" }), program, io)).rejects.toMatchObject({
    code: "HAL_FAILED",
    message: expect.stringContaining("ended with code 3"),
  });
});
