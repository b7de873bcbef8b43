import { existsSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { CompleteSetup } from "../core/bootstrap-setup.ts";
import { type Beginner, beginners, place } from "./testing.ts";

// For a machine that is busy; each wait ends with what it waits for.
vi.setConfig({ testTimeout: 60_000 });

let nodes: ReturnType<typeof beginners>;
const servers: Server[] = [];

beforeEach(() => {
  nodes = beginners();
});
afterEach(async () => {
  await nodes.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Somebody who is no node, on a port of this machine. */
async function stranger(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  servers.push(server);
  await new Promise((resolve) => server.once("listening", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function addressOf({ host, port }: ReturnType<typeof place>): string {
  return `${host}:${port}`;
}

async function requireOneCluster(all: readonly Beginner[]): Promise<readonly CompleteSetup[]> {
  const setups = await Promise.all(all.map(({ complete }) => complete));
  expect(new Set(setups.map(({ clusterId }) => clusterId)).size).toBe(1);
  expect(new Set(setups.map(({ id }) => id)).size).toBe(all.length);
  for (const { peers, agencySize } of setups) {
    expect(peers).toEqual(setups[0]?.peers);
    expect(peers.filter(({ role }) => role === "tracking")).toHaveLength(agencySize);
  }
  for (const { dataDir } of all) {
    const { setup } = JSON.parse(readFileSync(join(dataDir, "setup.json"), "utf8"));
    expect(setup).toMatchObject({ phase: "complete", clusterId: setups[0]?.clusterId });
  }
  return setups;
}

const orders = [
  [1, 2, 3],
  [1, 3, 2],
  [2, 1, 3],
  [2, 3, 1],
  [3, 1, 2],
  [3, 2, 1],
];

describe("three nodes are one cluster", () => {
  test.each(orders)("with a master, started in the order %i %i %i", async (...order) => {
    const listen = place();
    const started: Beginner[] = [];
    for (const number of order) {
      const options = number === 1 ? { listen } : { join: [addressOf(listen)] };
      const node = await nodes.start(`node-${number}`, options);
      started.push(node);
      // The next comes when this one waits, so the order is real.
      if (started.length < 3) await node.said(/waiting/);
    }
    await requireOneCluster(started);
  });

  test.each(orders)("with one list for all, started in the order %i %i %i", async (...order) => {
    const listens = [place(), place(), place()];
    const join = listens.map(addressOf);
    const started: Beginner[] = [];
    for (const number of order) {
      const listen = listens[number - 1] ?? place();
      const node = await nodes.start(`node-${number}`, { listen, join });
      started.push(node);
      if (started.length < 3) await node.said(/waiting/);
    }
    await requireOneCluster(started);
  });

  test("all at once, with one list", async () => {
    const listens = [place(), place(), place()];
    const join = listens.map(addressOf);
    const started = listens.map((listen, at) => nodes.start(`node-${at}`, { listen, join }));
    await requireOneCluster(await Promise.all(started));
  });

  test("when each was told to join the one before", async () => {
    const first = await nodes.start("node-1");
    const second = await nodes.start("node-2", { join: [first.address] });
    const third = await nodes.start("node-3", { join: [second.address] });
    await requireOneCluster([first, second, third]);
  });
});

test("a joiner of a list waits for a master that is gone for a while, and does not take itself for one", async () => {
  const listens = [place(), place(), place()] as const;
  const join = listens.map(addressOf);
  const master = await nodes.start("node-1", { listen: listens[0], join });
  const second = await nodes.start("node-2", { listen: listens[1], join });
  await second.said(/2 of 3/);
  await master.stop();
  await second.said(/waiting for an answer/);
  const third = await nodes.start("node-3", { listen: listens[2], join });
  await third.said(/waiting/);
  await requireOneCluster([await nodes.start("node-1"), second, third]);
});

test("a list in which a node has another name than its own is no obstacle", async () => {
  const listens = [place(), place()] as const;
  const [first, alias] = [addressOf(listens[0]), `localhost:${listens[1].port}`];
  const options = { agencySize: 3 as const, join: [first, alias] };
  const second = await nodes.start("node-2", {
    ...options,
    listen: { host: "127.0.0.1", port: listens[1].port },
  });
  await second.said(/waiting for the master/);
  const master = await nodes.start("node-1", { ...options, listen: listens[0] });
  await second.said(/2 of 3/);
  await master.stop();
  await second.said(/waiting for an answer/);
  const third = await nodes.start("node-3", { join: [first] });
  await third.said(/waiting/);
  await requireOneCluster([await nodes.start("node-1"), second, third]);
});

test("a node alone is complete at once with agency size 1, and asks nobody", async () => {
  const node = await nodes.start("node-1", { agencySize: 1 });
  expect(await node.complete).toMatchObject({ mode: "single", role: "tracking", agencySize: 1 });
  expect(node.printed).toEqual([]);
});

test("the master says what it waits for and the command of the others, and again while it lasts", async () => {
  const master = await nodes.start("node-1");
  await master.said(/waiting for 2 more nodes \(1 of 3\)/);
  expect(master.printed[0]).toContain(`--join ${master.address}`);
  expect(master.printed[0]).toContain("--agency-size 1");
  const second = await nodes.start("node-2", { join: [master.address] });
  await Promise.all([master.said(/for 1 more node \(2 of 3\)/), second.said(/for 1 more node/)]);
  await master.said(/for 1 more node/, 2);
});

test("a stop while it waits ends the start with its reason, and the next goes on", async () => {
  const reason = new Error("enough");
  const first = await nodes.start("node-1");
  await first.said(/waiting/);
  await first.stop(reason);
  await expect(first.complete).rejects.toBe(reason);
  const again = await nodes.start("node-1");
  expect(again.address).toBe(first.address);
  const joiners = await Promise.all(
    ["node-2", "node-3"].map((name) => nodes.start(name, { join: [again.address] })),
  );
  await requireOneCluster([again, ...joiners]);
});

test("a joiner that was stopped is the same node when it comes back", async () => {
  const master = await nodes.start("node-1");
  const joiner = await nodes.start("node-2", { join: [master.address] });
  await master.said(/2 of 3/);
  await joiner.stop();
  const third = await nodes.start("node-3", { join: [master.address] });
  const [{ peers } = { peers: [] }] = await Promise.all([master.complete, third.complete]);
  expect(peers.map(({ name }) => name)).toEqual(["node-1", "node-2", "node-3"]);
  await requireOneCluster([master, await nodes.start("node-2"), third]);
});

test("a joiner that missed the end is told by any node of the cluster, when the master is gone", async () => {
  const master = await nodes.start("node-1");
  const joiner = await nodes.start("node-2", { join: [master.address] });
  await joiner.said(/2 of 3/);
  await joiner.stop();
  const third = await nodes.start("node-3", { join: [master.address] });
  await Promise.all([master.complete, third.complete]);
  await master.stop();
  await requireOneCluster([await nodes.start("node-2", { join: [third.address] }), third]);
});

test("a complete node starts without any other", async () => {
  const master = await nodes.start("node-1");
  const others = await Promise.all(
    ["node-2", "node-3"].map((name) => nodes.start(name, { join: [master.address] })),
  );
  const [, second] = await requireOneCluster([master, ...others]);
  for (const node of [master, ...others]) await node.stop();
  const again = await nodes.start("node-2");
  expect(await again.complete).toEqual({ ...second, incarnation: expect.any(Number) });
});

test("a late node is taken in by the leader, to which any node sends it", async () => {
  const leader = await nodes.start("node-1", { agencySize: 1, leader: () => leader.address });
  await leader.complete;
  const second = await nodes.start("node-2", {
    join: [leader.address],
    leader: () => leader.address,
  });
  await second.complete;
  const third = await nodes.start("node-3", { join: [second.address] });
  expect(await third.complete).toMatchObject({ role: "satellite", agencySize: 1 });
});

describe("refused with a clear message:", () => {
  test("a wiped member under its old name", async () => {
    const master = await nodes.start("node-1");
    const joiner = await nodes.start("node-2", { join: [master.address] });
    await master.said(/2 of 3/);
    await joiner.stop();
    rmSync(joiner.dataDir, { recursive: true });
    const wiped = await nodes.start("node-2", { join: [master.address] });
    await expect(wiped.complete).rejects.toMatchObject({
      code: "HAL_CONFLICT",
      message: expect.stringContaining("belongs to another id"),
    });
  });

  test("a master that lost its disk, by its joiners, naming both ids", async () => {
    const master = await nodes.start("node-1");
    const joiner = await nodes.start("node-2", { join: [master.address] });
    await joiner.said(/2 of 3/);
    await master.stop();
    rmSync(master.dataDir, { recursive: true });
    await nodes.start("node-1");
    await expect(joiner.complete).rejects.toMatchObject({
      code: "HAL_CONFLICT",
      message: expect.stringMatching(/[0-9a-f-]{36}.*[0-9a-f-]{36}/),
    });
  });

  test("another cluster's data", async () => {
    const one = await nodes.start("one");
    const two = await nodes.start("two");
    const joiner = await nodes.start("node-2", { join: [one.address] });
    await joiner.said(/2 of 3/);
    await joiner.stop();
    const moved = await nodes.start("node-2", { join: [two.address] });
    await expect(moved.complete).rejects.toMatchObject({ code: "HAL_CONFLICT" });
  });

  test("the same data directory twice", async () => {
    const master = await nodes.start("node-1");
    await expect(nodes.start("node-1", { join: [master.address] })).rejects.toMatchObject({
      code: "HAL_DATA_DIR_LOCKED",
    });
  });

  test("a node that is told to join itself", async () => {
    const listen = place();
    const node = await nodes.start("node-1", { listen, join: [addressOf(listen)] });
    await expect(node.complete).rejects.toMatchObject({
      code: "HAL_CONFLICT",
      message: expect.stringContaining("itself"),
    });
  });

  test("an agency size that differs", async () => {
    const master = await nodes.start("node-1");
    const joiner = await nodes.start("node-2", { join: [master.address], agencySize: 5 });
    await expect(joiner.complete).rejects.toMatchObject({ code: "HAL_CONFLICT" });
  });
});

test("one list that leads back to a wiped first node begins no second cluster", async () => {
  const first = place();
  const second = place();
  const join = [addressOf(first), addressOf(second)];
  const leader = () => addressOf(first);
  const master = await nodes.start("a", { listen: first, join, agencySize: 1, leader });
  const other = await nodes.start("b", { listen: second, join, leader });
  await requireOneCluster([master]);
  await other.complete;
  await master.stop();
  rmSync(master.dataDir, { recursive: true });
  const wiped = await nodes.start("a", { listen: first, join, agencySize: 1 });
  await expect(wiped.complete).rejects.toMatchObject({
    code: "HAL_CONFLICT",
    message: expect.stringContaining("Start this node with another --name"),
  });
});

describe("an address to join that is no node", () => {
  async function joining(answer: RequestListener): Promise<Beginner> {
    return nodes.start("node-1", { join: [await stranger(answer)] });
  }

  test("and answers 200 ends the start", async () => {
    const node = await joining((_, response) => response.end("<html>hello</html>"));
    await expect(node.complete).rejects.toMatchObject({
      code: "HAL_FAILED",
      message: expect.stringContaining("--join"),
    });
  });

  test("and answers without end ends the start", async () => {
    const node = await joining((_, response) => {
      const write = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, "x")));
      };
      response.on("drain", write);
      write();
    });
    await expect(node.complete).rejects.toMatchObject({
      code: "HAL_FAILED",
      message: expect.stringContaining("1 MiB"),
    });
  });

  test.each([
    ["http://169.254.169.254/latest"],
    ["file:///etc/passwd"],
    ["https://127.0.0.1:1/hello"],
  ])("and redirects to %s ends the start", async (location) => {
    const node = await joining((_, response) => response.writeHead(307, { location }).end());
    await expect(node.complete).rejects.toMatchObject({ code: "HAL_FAILED" });
  });

  test("and redirects for ever is said, and asked again", async () => {
    let asked = 0;
    const node = await joining((request, response) => {
      asked += 1;
      response.writeHead(307, { location: `http://${request.headers.host}/hello` }).end();
    });
    await node.said(/in a circle/);
    expect(asked).toBe(6);
  });

  test("and says nothing is said, and asked again", async () => {
    const node = await joining(() => undefined);
    await node.said(/no answer within 2000 ms/);
  });

  test("nor a known name is said, and asked again", async () => {
    const node = await nodes.start("node-1", { join: ["halon.invalid:8528"] });
    await node.said(/halon\.invalid:8528: /);
    expect(existsSync(join(node.dataDir, "setup.json"))).toBe(true);
  });
});
