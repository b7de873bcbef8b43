import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { openAgencyEngine } from "@halon/coordinator/store";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type MemberHost, type MemberThreadOptions, startMemberThread } from "./host.ts";
import type { MemberThreadStatus } from "./wire.ts";

// Threads and elections on a busy machine.
vi.setConfig({ testTimeout: 60_000 });
const deadlineMs = 20_000;
const cleanUps: (() => void | Promise<void>)[] = [];
let root = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "halon-member-"));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  await rm(root, { recursive: true });
});

/** A listener as a node has one, before its member is there. */
interface Node {
  readonly address: string;
  readonly id: string;
  readonly lines: string[];
  member: MemberHost | undefined;
}

async function listen(): Promise<Node> {
  const server: Server = createServer((request, response) => {
    if (node.member?.handle(request, response) !== true) response.writeHead(404).end();
  });
  server.on("upgrade", (request, socket, head) => {
    if (node.member?.upgrade(request, socket, head) !== true) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const node: Node = { address, id: `AGNT-${randomUUID()}`, lines: [], member: undefined };
  cleanUps.push(async () => {
    await node.member?.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return node;
}

function optionsOf(nodes: readonly Node[], node: Node): MemberThreadOptions {
  const founders = Object.fromEntries(nodes.map(({ id, address }) => [id, address]));
  return {
    dataDir: join(root, node.id),
    advertise: node.address,
    member: { id: node.id, cluster: "c1", founders },
    agencySize: nodes.length === 1 ? 1 : 3,
    log: (line) => node.lines.push(line),
    onEnd: (reason) => {
      throw new Error(`the member ended: ${reason}`);
    },
  };
}

async function startMembers(count: 1 | 3): Promise<readonly [Node, ...Node[]]> {
  const first = await listen();
  const nodes: [Node, ...Node[]] = [first];
  while (nodes.length < count) nodes.push(await listen());
  for (const node of nodes) node.member = await startMemberThread(optionsOf(nodes, node));
  return nodes;
}

const memberOf = ({ member }: Node): MemberHost => {
  if (member === undefined) throw new Error("the member was not started");
  return member;
};

/** Asks until the status is as wanted. */
async function statusWhen(
  member: MemberHost,
  isWanted: (status: MemberThreadStatus) => boolean,
): Promise<MemberThreadStatus> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const status = await member.status();
    if (isWanted(status)) return status;
    if (performance.now() > end) throw new Error(`the last status was ${JSON.stringify(status)}`);
    await wait(10);
  }
}

const post = (address: string, path: string, body: unknown): Promise<Response> =>
  fetch(`http://${address}${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  });

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const text = (data: Uint8Array): string => Buffer.from(data).toString("utf8");

describe("the real member", () => {
  test("a thread that crashes starts again; what was appended is there, under a higher epoch", async () => {
    const [node] = await startMembers(1);
    const member = memberOf(node);
    const port = member.openHostLog();
    const engine = await openAgencyEngine(port);
    await engine.lead();
    const { epoch } = engine;
    expect(await engine.append(bytes("a"), { position: 1, epoch })).toEqual({ type: "committed" });
    const lost = new Promise((resolve) => engine.onLost(resolve));
    // A bug: nothing sends this.
    port.postMessage(null);
    await lost;
    expect((await fetch(`http://${node.address}/_api/agency/config`)).status).toBe(503);
    // Asked for while there is no thread: it goes to the next one.
    const next = await openAgencyEngine(member.openHostLog());
    await next.lead();
    expect(next.epoch).toBeGreaterThan(epoch);
    expect((await next.read(1)).map(({ data }) => text(data))).toEqual(["a"]);
    expect(node.lines.join()).toContain("crashed");
    await next.close();
  });

  test("a new channel ends the one before", async () => {
    const [node] = await startMembers(1);
    const first = await openAgencyEngine(memberOf(node).openHostLog());
    await first.lead();
    const lost = new Promise((resolve) => first.onLost(resolve));
    const second = await openAgencyEngine(memberOf(node).openHostLog());
    await lost;
    await second.lead();
    expect(second.epoch).toBeGreaterThan(first.epoch);
    await second.close();
  });

  test("three speak through their nodes' listeners, and the others take over from one that ends", async () => {
    const nodes = await startMembers(3);
    const { leaderId } = await statusWhen(memberOf(nodes[0]), (one) => one.leaderId !== null);
    const leader = nodes.find(({ id }) => id === leaderId) ?? nodes[0];
    const [follower] = nodes.filter((node) => node !== leader);
    if (follower === undefined) throw new Error("there is no follower");
    const write = [[{ "/a": 1 }]];
    expect((await post(leader.address, "/_api/agency/write", write)).status).toBe(200);
    const elsewhere = await fetch(`http://${follower.address}/_api/agency/read`, {
      method: "POST",
      body: '[["/a"]]',
      redirect: "manual",
    });
    expect(elsewhere.status).toBe(307);
    expect(elsewhere.headers.get("Location")).toBe(`http://${leader.address}/_api/agency/read`);
    await memberOf(leader).close();
    const engine = await openAgencyEngine(memberOf(follower).openHostLog());
    const owner = await statusWhen(
      memberOf(follower),
      (one) => one.leaderId !== null && one.leaderId !== leader.id,
    );
    expect(nodes.map(({ address }) => address)).toContain(owner.leaderAddress);
    const read = await post(follower.address, "/_api/agency/read", [["/a"]]);
    expect(await read.json()).toEqual([{ a: 1 }]);
    await engine.close();
  });

  test("a damaged log is told at the start, and nothing is left over", async () => {
    const [node] = await startMembers(1);
    await statusWhen(memberOf(node), ({ role }) => role === "leader");
    await memberOf(node).close();
    const log = join(root, node.id, "agency");
    const segment = (await readdir(log)).find((name) => name.endsWith(".log")) ?? "none";
    await truncate(join(log, segment), 3);
    await expect(startMemberThread(optionsOf([node], node))).rejects.toMatchObject({
      code: "HAL_STORE_DAMAGED",
    });
  });

  test("its socket is in a directory for this user alone, which goes with it", async () => {
    vi.stubEnv("TMPDIR", root);
    const dirs = (): readonly string[] =>
      readdirSync(root).filter((name) => name.startsWith("halond-"));
    const [node] = await startMembers(1);
    const made = dirs();
    expect(made.map((name) => statSync(join(root, name)).mode & 0o777)).toEqual([0o700]);
    await memberOf(node).close();
    expect(dirs()).toEqual([]);
    // As if the process had been killed: the next one removes it.
    for (const name of made) mkdirSync(join(root, name));
    node.member = await startMemberThread(optionsOf([node], node));
    expect(dirs()).toHaveLength(1);
    expect(dirs()).not.toEqual(made);
  });
});

describe("the watch over a thread", () => {
  const entry = new URL("../../testdata/member-thread.mjs", import.meta.url);

  async function start(
    told: string,
  ): Promise<{ member: MemberHost; lines: string[]; ended: Promise<string> }> {
    const lines: string[] = [];
    let end: (reason: string) => void = () => undefined;
    const ended = new Promise<string>((resolve) => {
      end = resolve;
    });
    const options: MemberThreadOptions = {
      dataDir: root,
      advertise: "127.0.0.1:1",
      member: { id: `AGNT-${randomUUID()}`, cluster: told, founders: {} },
      agencySize: 1,
      log: (line) => lines.push(line),
      onEnd: (reason, exitCode) => end(`${reason} (${exitCode})`),
    };
    const member = await startMemberThread(options, entry);
    cleanUps.push(() => member.close());
    return { member, lines, ended };
  }

  test.each([
    { told: "hang", line: "has not moved for" },
    { told: "crash", line: "crashed as it was told" },
  ])("one that is told to $told is started again", async ({ told, line }) => {
    const { member, lines } = await start(told);
    expect((await member.status()).role).toBe("unavailable");
    await statusWhen(member, ({ role }) => role === "leader");
    expect(lines).toEqual([expect.stringContaining(line)]);
  });

  test("one whose member has ended for good is not", async () => {
    const { member, ended } = await start("end");
    await member.status();
    expect(await ended).toBe("removed as it was told (4)");
    expect(await member.status()).toMatchObject({
      role: "unavailable",
      reason: "removed as it was told",
    });
    const port = member.openHostLog();
    await expect(openAgencyEngine(port)).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
  });
});
