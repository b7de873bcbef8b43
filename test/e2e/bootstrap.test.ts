import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import {
  cleanUp,
  halond,
  halondOf,
  host,
  isLong,
  kill,
  line,
  type Program,
  root,
  start,
  status,
  temporaryDirectory,
} from "./cluster.ts";

afterEach(cleanUp);

const halondPath = join(root, "packages/cli/bin/halond.js");
const readyMs = 60_000;
let places = 0;

/** Three machines: a data directory and an address each, the same before and after a stop. */
function machines() {
  const directory = temporaryDirectory();
  places += 1;
  const host = `127.${1 + ((process.pid >> 8) & 127)}.${process.pid & 255}.3`;
  const address = (number: number) => `${host}:${20_000 + places * 10 + number}`;
  const dataDir = (number: number) => join(directory, `machine-${number}`);
  return {
    address,
    dataDir,
    options: (number: number, ...args: readonly string[]) => [
      ...["start", "--name", `m-${number}`, "--data-dir", dataDir(number)],
      ...["--listen", address(number), ...args],
    ],
    begin(number: number, ...args: readonly string[]): Program {
      return start([halondPath, ...this.options(number, ...args)]);
    },
    setupOf: (number: number) =>
      JSON.parse(readFileSync(join(dataDir(number), "setup.json"), "utf8")).setup,
  };
}

type Machines = ReturnType<typeof machines>;

const ready = /^halond ready name=(\S+) endpoint=(\S+) role=(\S+)/m;

/** Waits until all are ready, and requires that they are one cluster; gives its id. */
async function requireOneCluster(three: Machines, nodes: readonly Program[]): Promise<string> {
  await Promise.all(nodes.map((node) => line(node, ready, readyMs)));
  const setups = nodes.map((_, at) => three.setupOf(at + 1));
  for (const { peers, phase, role } of setups) {
    expect({ peers, phase, role }).toEqual({
      peers: setups[0].peers,
      phase: "complete",
      role: "tracking",
    });
  }
  const seen = await Promise.all([1, 2, 3].map((n) => status(`http://${three.address(n)}`)));
  const ids = new Set([
    ...setups.map(({ clusterId }) => clusterId),
    ...seen.map((s) => s.cluster.id),
  ]);
  expect(ids.size).toBe(1);
  return setups[0].clusterId;
}

const orders = [
  [1, 2, 3],
  [1, 3, 2],
  [2, 1, 3],
  [2, 3, 1],
  [3, 1, 2],
  [3, 2, 1],
];

describe("three nodes become one cluster", () => {
  test.each(isLong ? orders : orders.slice(-2))(
    "started in the order %i %i %i, each when the last waits",
    async (...order) => {
      const three = machines();
      const nodes: Program[] = [];
      for (const number of order) {
        const join = number === 1 ? [] : ["--join", three.address(1)];
        const node = three.begin(number, ...join);
        nodes[number - 1] = node;
        if (number !== order[2]) await line(node, /^waiting /m);
      }
      await requireOneCluster(three, nodes);
    },
  );

  test("all at once with the same list, and again after all were killed, without a master", async () => {
    const three = machines();
    const list = [3, 1, 2].map((number) => three.address(number)).join(",");
    const nodes = [1, 2, 3].map((number) => three.begin(number, "--join", list));
    const clusterId = await requireOneCluster(three, nodes);
    const before = [1, 2, 3].map((number) => three.setupOf(number));
    for (const node of nodes) node.signal("SIGKILL");
    await Promise.all(nodes.map(({ ended }) => ended));
    // Two of three are a majority; what stands in the setup is enough for them to begin.
    const again = [2, 3].map((number) =>
      start([halondPath, "start", "--data-dir", three.dataDir(number)]),
    );
    await Promise.all(again.map((node) => line(node, ready, readyMs)));
    const third = start([halondPath, "start", "--data-dir", three.dataDir(1)]);
    expect(await requireOneCluster(three, [third, ...again])).toBe(clusterId);
    expect([1, 2, 3].map((number) => three.setupOf(number))).toEqual(
      before.map((setup) => ({ ...setup, incarnation: expect.any(Number) })),
    );
  });
});

test("while one is missing the others say so again and again, and nothing starts; a stop is clean", async () => {
  const three = machines();
  const master = three.begin(1);
  await line(master, /^waiting for 2 more nodes \(1 of 3\)/m);
  expect(master.output()).toContain(`--join ${three.address(1)}`);
  expect(master.output()).toContain("halond start --agency-size 1");
  const joiner = three.begin(2, "--join", three.address(1));
  for (const node of [master, joiner]) {
    await line(node, /for 1 more node .*for 1 more node /s, readyMs);
    expect(node.output()).not.toMatch(ready);
  }
  const answer = await fetch(`http://${three.address(2)}/readyz`);
  expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining("1 more")]);
  for (const number of [1, 2]) {
    const agency = join(three.dataDir(number), "agency");
    expect(existsSync(agency) ? readdirSync(agency) : []).toEqual([]);
  }
  for (const node of [master, joiner]) {
    node.signal("SIGTERM");
    expect((await node.ended).code).toBe(0);
  }
  const late = [three.begin(1), three.begin(2), three.begin(3, "--join", three.address(1))];
  await requireOneCluster(three, late);
});

test("a local cluster says how to start a node again that died, and that does it", async () => {
  const directory = temporaryDirectory();
  const args = ["start", "--local", "3", "--data-dir", directory, "--listen", `${host}:0`];
  const launcher = start([halondPath, ...args]);
  await line(launcher, /^cluster ready /m, readyMs);
  const { setup } = JSON.parse(readFileSync(join(directory, "node-2/setup.json"), "utf8"));
  kill(halondOf(join(directory, "node-2")), "SIGKILL");
  const command = await line(launcher, /Start it again with:\n {2}(.*)\n/);
  const again = start(command.split(" ").slice(1));
  expect(await line(again, /^halond ready name=node-2 endpoint=http:\/\/(\S+)/m, readyMs)).toBe(
    `${setup.listen.host}:${setup.listen.port}`,
  );
});

describe("refused, with the reason and what to do:", () => {
  test("a wiped member, another cluster's data, a data directory twice, options that say else", async () => {
    const three = machines();
    const master = three.begin(1, "--agency-size", "1");
    await line(master, ready, readyMs);
    const satellite = three.begin(2, "--join", three.address(1));
    await line(satellite, ready, readyMs);

    const twice = await halond(
      "start",
      "--data-dir",
      three.dataDir(1),
      "--listen",
      three.address(3),
    );
    expect(twice).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("HAL_DATA_DIR_LOCKED"),
    });

    satellite.signal("SIGKILL");
    await satellite.ended;
    const renamed = await halond("start", "--data-dir", three.dataDir(2), "--name", "web");
    expect(renamed).toMatchObject({ code: 4, stderr: expect.stringMatching(/web.*m-2/) });

    rmSync(three.dataDir(2), { recursive: true });
    const wiped = await halond(...three.options(2, "--join", three.address(1)));
    expect(wiped).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("with another --name"),
    });

    master.signal("SIGKILL");
    await master.ended;
    const size = await halond("start", "--data-dir", three.dataDir(1), "--agency-size", "3");
    expect(size).toMatchObject({ code: 4, stderr: expect.stringMatching(/says 3.*says 1/) });

    const foreign = machines();
    const other = foreign.begin(1, "--agency-size", "1");
    await line(other, ready, readyMs);
    other.signal("SIGKILL");
    await other.ended;
    copyFileSync(join(foreign.dataDir(1), "agency.json"), join(three.dataDir(1), "agency.json"));
    const mixed = await halond("start", "--data-dir", three.dataDir(1));
    expect(mixed.code).toBe(4);
    for (const { clusterId } of [three.setupOf(1), foreign.setupOf(1)])
      expect(mixed.stderr).toContain(clusterId);
  });

  test.each([
    ["http://169.254.169.254/latest"],
    ["file:///etc/passwd"],
    ["unix:/run/x"],
    ["user@db-1:8528"],
    ["db-1:0"],
    ["db-1:99999"],
  ])("--join %s", async (address) => {
    const { code, stderr } = await halond(
      "start",
      "--data-dir",
      temporaryDirectory(),
      "--join",
      address,
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/^halond: HAL_USAGE: .*--join/);
  });

  const strangers: readonly (readonly [string, RequestListener])[] = [
    ["a server that is no node", (_, response) => response.end("hello")],
    [
      "a redirect to a file",
      (_, response) => response.writeHead(307, { location: "file:///etc/passwd" }).end(),
    ],
    ["a longer answer than any", (_, response) => response.end(Buffer.alloc(2 * 1024 * 1024, "x"))],
  ];
  test.each(strangers)("--join of %s", async (_, answer) => {
    const server = createServer(answer).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const listen = ["--data-dir", temporaryDirectory(), "--listen", `${host}:0`];
    const { code, stderr } = await halond("start", ...listen, "--join", `127.0.0.1:${port}`);
    server.closeAllConnections();
    server.close();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^halond: HAL_FAILED: .*--join/m);
  });
});
