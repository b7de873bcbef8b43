import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { cleanUp, follow, line, type Program, temporaryDirectory, waitFor } from "./cluster.ts";

afterEach(cleanUp);

const script = fileURLToPath(new URL("./testdata/begin.mjs", import.meta.url));

/** For a long run: each point of the table so many times. Without, points at which the disk is as at the next are left out. */
const wanted = process.env["HALON_CRASH_ROUNDS"];
const rounds = Number(wanted ?? 1);

let places = 0;

/** A cluster of three below one directory; one of its nodes may be killed at a point. */
function cluster(agencySize: 1 | 3 = 3) {
  const directory = temporaryDirectory();
  const failpoints = join(directory, "failpoints");
  mkdirSync(failpoints);
  places += 1;
  const host = `127.${1 + ((process.pid >> 8) & 127)}.${process.pid & 255}.2`;
  const base = 20_000 + places * 10;
  const begin = (number: number): Program => {
    const dataDir = join(directory, `node-${number}`);
    mkdirSync(dataDir, { recursive: true });
    const options = {
      name: `node-${number}`,
      listen: { host, port: base + number },
      ...(number === 1 ? { agencySize } : { join: [`${host}:${base + 1}`] }),
    };
    const env = number === victim ? { HALON_FAILPOINTS: failpoints } : {};
    // By the directory among its arguments `cleanUp` finds it.
    const args = [script, dataDir, JSON.stringify(options)];
    const stdio = ["ignore", "pipe", "pipe"] as const;
    return follow(
      spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: [...stdio] }),
    );
  };
  let victim = 0;
  return {
    begin,
    arm: (number: number, point: string) => {
      victim = number;
      writeFileSync(join(failpoints, point), "");
    },
    isArmed: (point: string) => existsSync(join(failpoints, point)),
    setupOf: (number: number) =>
      JSON.parse(readFileSync(join(directory, `node-${number}`, "setup.json"), "utf8")).setup,
  };
}

type Cluster = ReturnType<typeof cluster>;

/** Waits for a line of the node; if it was killed before, starts it again, once. */
async function untilSaid(three: Cluster, number: number, node: Program, pattern: RegExp) {
  const said = await Promise.race([
    waitFor("a line", () => pattern.test(node.output()), 20_000),
    node.ended.then(() => "ended" as const),
  ]);
  if (said !== "ended") return node;
  const { code, stderr } = await node.ended;
  expect({ code, stderr }).toEqual({ code: null, stderr: "" });
  const again = three.begin(number);
  await line(again, pattern);
  return again;
}

async function requireOneCluster(three: Cluster, nodes: readonly Program[]): Promise<void> {
  const ids = await Promise.all(nodes.map((node) => line(node, /^complete (\S+)/m)));
  expect(new Set(ids).size).toBe(1);
  nodes.forEach((_, at) => {
    const setup = three.setupOf(at + 1);
    expect(setup).toMatchObject({ phase: "complete", clusterId: ids[0] });
    expect(setup.peers).toEqual(three.setupOf(1).peers);
  });
}

/** Steps are writes, fsyncs and renames, four a save; a node is killed before or after each. */
function points(saves: number): readonly string[] {
  const last = saves * 4;
  return Array.from({ length: last }, (_, at) => at + 1)
    .flatMap((step) => {
      const after = wanted === undefined && step < last ? [] : [`setup.after-${step}`];
      return [`setup.before-${step}`, ...after];
    })
    .flatMap((point) => Array.from({ length: rounds }, () => point));
}

test.each(points(3))("a master killed at %s, started again, has one cluster", async (point) => {
  const three = cluster();
  three.arm(1, point);
  const joiners = [three.begin(2), three.begin(3)];
  const master = await untilSaid(three, 1, three.begin(1), /^complete /m);
  expect(three.isArmed(point)).toBe(false);
  await requireOneCluster(three, [master, ...joiners]);
});

// In a short run every second point: the master's table has all of them, and the writes are the same.
const joinerPoints = points(3).filter((_, at) => wanted !== undefined || at % 2 === 0);

test.each(joinerPoints)(
  "a joiner killed at %s, started again, is in the cluster",
  async (point) => {
    const three = cluster();
    three.arm(2, point);
    const master = three.begin(1);
    const first = await untilSaid(three, 2, three.begin(2), /2 of 3/);
    const third = three.begin(3);
    const joiner = await untilSaid(three, 2, first, /^complete /m);
    expect(three.isArmed(point)).toBe(false);
    await requireOneCluster(three, [master, joiner, third]);
  },
);

test.each(points(1))("a node alone killed at %s, started again, is a cluster", async (point) => {
  const one = cluster(1);
  one.arm(1, point);
  const node = await untilSaid(one, 1, one.begin(1), /^complete /m);
  expect(one.isArmed(point)).toBe(false);
  await requireOneCluster(one, [node]);
});

test.each(points(1))(
  "a node killed at %s of a relaunch is the same node after it",
  async (point) => {
    const one = cluster(1);
    const first = one.begin(1);
    await line(first, /^complete /m);
    first.signal("SIGKILL");
    await first.ended;
    const { id, clusterId } = one.setupOf(1);
    one.arm(1, point);
    const node = await untilSaid(one, 1, one.begin(1), /^complete /m);
    expect(one.isArmed(point)).toBe(false);
    await requireOneCluster(one, [node]);
    expect(one.setupOf(1)).toMatchObject({ id, clusterId });
  },
);
