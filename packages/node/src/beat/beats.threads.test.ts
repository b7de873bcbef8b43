import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { silent, until } from "../testing.ts";
import type { Arrival } from "./arrival.ts";
import { type Beats, startBeats } from "./host.ts";
import { createProgress, turn } from "./progress.ts";
import { decodeBeat } from "./wire.ts";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

interface BeatingNode {
  readonly beats: Beats;
  readonly progress: ReturnType<typeof createProgress>;
  readonly heard: Arrival[];
}

async function beatingNode(
  node: string,
  changes: {
    readonly port?: number;
    readonly clusterId?: string;
    readonly log?: typeof silent;
  } = {},
): Promise<BeatingNode> {
  const { port = 0, clusterId = "c1", log = silent } = changes;
  const progress = createProgress();
  const listen = { host: "127.0.0.1", port };
  const beats = startBeats({ node, incarnation: 3, clusterId, listen, progress, log });
  open.push(beats);
  const heard: Arrival[] = [];
  beats.events.on("heard", (arrivals) => heard.push(...arrivals));
  return { beats, progress, heard };
}

const addressOf = ({ beats }: BeatingNode): string => `127.0.0.1:${beats.port}`;
const from = (...names: string[]): Map<string, number> => new Map(names.map((name) => [name, 3]));

async function pair(): Promise<readonly [BeatingNode, BeatingNode]> {
  const [one, two] = [await beatingNode("node-1"), await beatingNode("node-2")];
  await until("both sockets", () => one.beats.port !== undefined && two.beats.port !== undefined);
  one.beats.setPeers({ targets: [addressOf(two)], nodes: from("node-2") });
  two.beats.setPeers({ targets: [addressOf(one)], nodes: from("node-1") });
  return [one, two];
}

/** A socket that is no node. */
async function socketAt(port = 0): Promise<Socket> {
  const socket = createSocket("udp4").bind(port, "127.0.0.1");
  await once(socket, "listening");
  open.push({ close: () => socket.close() });
  return socket;
}

test("two nodes hear each other, with the counters of their parts", async () => {
  const [one, two] = await pair();
  for (let turns = 0; turns < 5; turns += 1) turn(one.progress, "supervisor");
  await until("the counter", () => two.beats.last("node-1")?.counters.supervisor === 5);
  await until("the main thread's turns", () => {
    return (one.heard.at(-1)?.counters.main ?? 0) > (one.heard[0]?.counters.main ?? 0);
  });
  expect(two.beats.last("node-1")).toMatchObject({ node: "node-1", incarnation: 3 });
  expect(one.heard.every(({ node }) => node === "node-2")).toBe(true);
});

test("beats go on while the main thread stands still, with its counter where it is, and with the times at which they came", async () => {
  const [one, two] = await pair();
  await until("the first beats", () => one.heard.length > 2 && two.heard.length > 2);
  const stood = performance.now();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  const went = performance.now();
  expect(await two.beats.refresh()).toBe(true);
  const during = two.heard.filter(({ at }) => at > stood + 150 && at < went - 50);
  // Of ten beats a few, on a machine however busy; the main thread's turns of both nodes stood still.
  expect(during.length).toBeGreaterThanOrEqual(2);
  expect(new Set(during.map(({ counters }) => counters.main)).size).toBe(1);
});

test("what has come in is told at once when it is asked for", async () => {
  const [one] = await pair();
  await until("a beat", () => one.heard.length > 0);
  expect(await one.beats.refresh()).toBe(true);
  expect(one.beats.last("node-2")).toEqual(one.heard.at(-1));
  expect(one.beats.lateMs()).toBeGreaterThanOrEqual(0);
});

test("beats of strangers, other clusters and earlier starts are dropped, and noise harms nobody", async () => {
  const one = await beatingNode("node-1");
  const stranger = await beatingNode("node-9");
  const other = await beatingNode("node-2", { clusterId: "c2" });
  const two = await beatingNode("node-2");
  const old = await beatingNode("node-3");
  const all = [one, stranger, other, two, old];
  await until("the sockets", () => all.every(({ beats }) => beats.port !== undefined));
  const nodes = new Map([
    ["node-2", 3],
    ["node-3", 4],
  ]);
  one.beats.setPeers({ targets: [], nodes });
  for (const sender of [stranger, other, old])
    sender.beats.setPeers({ targets: [addressOf(one)], nodes: new Map() });
  const socket = await socketAt();
  for (let length = 0; length < 600; length += 7)
    socket.send(Buffer.alloc(length, length), one.beats.port ?? 0, "127.0.0.1");
  two.beats.setPeers({ targets: [addressOf(one)], nodes: new Map() });
  await until("beats of the known one", () => one.heard.length > 3);
  expect(new Set(one.heard.map(({ node }) => node))).toEqual(new Set(["node-2"]));
});

test("beats go to an address and to a name, numbered", async () => {
  const one = await beatingNode("node-1");
  const socket = await socketAt();
  const seen: Buffer[] = [];
  socket.on("message", (bytes) => seen.push(bytes));
  one.beats.setPeers({
    targets: [`127.0.0.1:${socket.address().port}`, `localhost:${socket.address().port}`],
    nodes: new Map(),
  });
  await until("beats to both", () => seen.length >= 6);
  const [first] = seen;
  if (first === undefined) throw new Error("no beat came");
  const of = first.subarray(4, 12);
  const sequences = seen.map((bytes) => decodeBeat(bytes, of)?.sequence ?? -1);
  expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
  expect(new Set(sequences).size).toBeLessThan(sequences.length);
});

test("where the UDP port is taken the node warns, and is heard all the same", async () => {
  const taken = await socketAt();
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(line) });
  const one = await beatingNode("node-1", { port: taken.address().port, log });
  const two = await beatingNode("node-2");
  await until("the warning", () => lines.length > 0);
  expect(lines[0]).toContain("EADDRINUSE");
  await until("the socket", () => two.beats.port !== undefined);
  two.beats.setPeers({ targets: [], nodes: from("node-1") });
  one.beats.setPeers({ targets: [addressOf(two)], nodes: new Map() });
  await until("a beat", () => two.heard.length > 0);
  expect(one.beats.port).toBeUndefined();
});

test("a beat thread that crashes is started again, and goes on with its peers", async () => {
  const progress = createProgress();
  const lines: string[] = [];
  const log = pino({ level: "error" }, { write: (line: string) => void lines.push(line) });
  const entry = new URL("../../testdata/beat-thread.mjs", import.meta.url);
  const listen = { host: "127.0.0.1", port: 0 };
  const options = { node: "node-1", incarnation: 3, clusterId: "c1", listen, progress, log };
  const beats = startBeats(options, entry);
  open.push(beats);
  beats.setPeers({ targets: ["127.0.0.1:9"], nodes: from("node-2") });
  // The stand-in answers with what it was told, and crashes at the first.
  await until("the second start", () => beats.last("node-2") !== undefined);
  expect(lines.join()).toContain("crashed as it was told");
  expect(lines.join()).toContain("started again");
});
