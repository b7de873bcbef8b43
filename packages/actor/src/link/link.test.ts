import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { Behaviour } from "../core/behaviour.ts";
import type { Hello, LinkClass } from "../core/hello.ts";
import { createSystem } from "../system.ts";
import type { ActorSystem } from "../system-port.ts";
import { encode } from "./frame.ts";
import { keepLink } from "./keeper.ts";
import type { Link } from "./link.ts";
import { acceptLink, connectLink, linkServerOptions } from "./open.ts";

const within = { timeoutMs: 2_000 };
const echo: Behaviour = () => ({ receive: (message) => message });
const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

function helloOf(
  node: string,
  linkClass: LinkClass = "control",
  cluster: string | null = "c",
): Hello {
  return { protocol: 1, cluster, node, incarnation: 1, class: linkClass, address: "127.0.0.1:0" };
}

/** Node `node-1` that listens; `accepted` gives its links one by one. */
async function listen(classes?: readonly LinkClass[]) {
  const system = createSystem({ node: "node-1", incarnation: 1 });
  const server: Server = createServer();
  const sockets = new WebSocketServer({ noServer: true, ...linkServerOptions });
  const links: Link[] = [];
  const waiting: ((link: Link) => void)[] = [];
  const errors: unknown[] = [];
  server.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (ws) => {
      acceptLink(ws, { hello: helloOf("node-1"), ...(classes && { classes }) }).then(
        (link) => {
          if (classes === undefined) system.attach(link);
          const next = waiting.shift();
          if (next === undefined) links.push(link);
          else next(link);
        },
        (error: unknown) => errors.push(error),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUps.push(() => {
    for (const client of sockets.clients) client.terminate();
    server.close();
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/_link`;
  const accepted = (): Promise<Link> =>
    new Promise((resolve) => {
      const link = links.shift();
      if (link === undefined) waiting.push(resolve);
      else resolve(link);
    });
  return { system, url, accepted, errors };
}

async function join(url: string, node: string, ...classes: LinkClass[]) {
  const system = createSystem({ node, incarnation: 1 });
  const links: Link[] = [];
  for (const linkClass of classes) {
    const link = await connectLink({ url, hello: helloOf(node, linkClass) });
    system.attach(link);
    cleanUps.push(() => link.close("the test is over"));
    links.push(link);
  }
  return { system, links };
}

function downOf(link: Link): Promise<string> {
  return new Promise((resolve) => {
    if (link.downReason !== null) resolve(link.downReason);
    else link.events.once("down", resolve);
  });
}

function firstSignal(
  system: ActorSystem,
  address: Parameters<ActorSystem["send"]>[0],
): Promise<unknown> {
  return new Promise((resolve) => {
    system.spawn((self) => {
      self.monitor(address);
      return { receive: resolve };
    });
  });
}

describe("two nodes", () => {
  test("send, call, whereis and names work as on one", async () => {
    const { system, url } = await listen();
    const pid = system.spawn(echo, { name: "echo" });
    const { system: other } = await join(url, "node-2", "control");
    expect(await other.whereisOn("echo", "node-1")).toBe(pid);
    expect(await other.whereisOn("nobody", "node-1")).toBe(null);
    expect(await other.call(pid, { a: [1, null, "x"] }, within)).toEqual({ a: [1, null, "x"] });
    expect(await other.call({ name: "echo", node: "node-1" }, 5, within)).toBe(5);
    await expect(other.call({ name: "no", node: "node-1" }, 5, within)).rejects.toMatchObject({
      code: "HAL_NO_PROCESS",
    });
  });

  test("monitors and links reach across, with the reason", async () => {
    const { system, url } = await listen();
    const failing: Behaviour = () => ({
      receive() {
        throw new Error("far away");
      },
    });
    const watched = system.spawn(failing, { name: "watched" });
    const { system: other } = await join(url, "node-2", "control");
    const down = firstSignal(other, { name: "watched", node: "node-1" });
    const bound = other.spawn(echo);
    const binder = other.spawn((self) => ({ receive: () => self.link(watched) }));
    const boundDown = firstSignal(other, binder);
    await other.call(binder, 1, within);
    await expect(other.call(watched, 1, within)).rejects.toMatchObject({ message: "far away" });
    const reason = { error: { code: "HAL_INTERNAL", message: "far away" } };
    expect(await down).toMatchObject({ type: "down", reason });
    expect(await boundDown).toMatchObject({ type: "down", pid: binder, reason });
    expect(other.isAlive(bound)).toBe(true);
  });

  test("a lost link fires noconnection and rejects pending calls", async () => {
    const { system, url, accepted } = await listen();
    const pid = system.spawn(() => ({ receive: () => new Promise(() => undefined) }));
    const { system: other } = await join(url, "node-2", "control");
    const down = firstSignal(other, pid);
    const call = other.call(pid, 1, within);
    call.catch(() => undefined);
    (await accepted()).close("test");
    expect(await down).toMatchObject({ reason: "noconnection" });
    await expect(call).rejects.toMatchObject({ code: "HAL_UNREACHABLE" });
    expect(other.nodes()).toEqual([]);
  });

  test("what cannot cross is an error to the sender only", async () => {
    const { system, url } = await listen();
    const pid = system.spawn(echo);
    const { system: other, links } = await join(url, "node-2", "control");
    expect(() => other.send(pid, { f: () => 1 })).toThrow(/message\.f is a function/);
    expect(() => other.send(pid, "x".repeat(5_000_000))).toThrow(
      expect.objectContaining({ code: "HAL_TOO_LARGE" }),
    );
    expect(await other.call(pid, "fine", within)).toBe("fine");
    expect(links[0]?.downReason).toBe(null);
  });

  test("a full mailbox on the other node is told to the sender", async () => {
    const { system, url } = await listen();
    const pid = system.spawn(() => ({ receive: () => new Promise(() => undefined) }), {
      mailboxMax: 1,
    });
    const { system: other } = await join(url, "node-2", "control");
    const refused = new Promise((resolve) =>
      other.events.once("refused", (...all) => resolve(all)),
    );
    for (let sent = 0; sent < 3; sent++) other.send(pid, sent);
    expect(await refused).toEqual([pid, expect.any(String), "HAL_MAILBOX_FULL"]);
  });
});

describe("refusals", () => {
  test("a node of another cluster is refused on both sides with the reason", async () => {
    const { url, errors } = await listen();
    const why = 'cluster "other" where this node is of "c"';
    await expect(
      connectLink({ url, hello: helloOf("node-2", "control", "other") }),
    ).rejects.toMatchObject({ code: "HAL_LINK_REFUSED", message: expect.stringContaining(why) });
    expect(errors).toEqual([expect.objectContaining({ code: "HAL_LINK_REFUSED" })]);
  });

  test("a keeper tells of the refusal and tries again until closed", async () => {
    const { url } = await listen();
    let attempts = 0;
    const keeper = keepLink(() => {
      attempts += 1;
      return { url, hello: helloOf("node-2", "control", attempts === 1 ? "other" : "c") };
    });
    const refused = new Promise<string>((resolve) => keeper.events.once("refused", resolve));
    const link = await new Promise<Link>((resolve) => keeper.events.once("up", resolve));
    expect(await refused).toContain("cluster");
    keeper.close();
    expect(await downOf(link)).toBe("closed");
  });

  test("a keeper that is told to hurry does not wait for its next attempt", async () => {
    const { url } = await listen();
    let attempts = 0;
    const keeper = keepLink(() => {
      attempts += 1;
      return { url: attempts === 1 ? "ws://127.0.0.1:1/_link" : url, hello: helloOf("node-2") };
    });
    cleanUps.push(() => keeper.close());
    await new Promise((resolve) => keeper.events.once("down", resolve));
    keeper.hurry();
    expect(attempts).toBe(2);
    await new Promise((resolve) => keeper.events.once("up", resolve));
  });

  test("a keeper connects again after its link broke", async () => {
    const { url, accepted } = await listen();
    const keeper = keepLink(() => ({ url, hello: helloOf("node-2") }));
    cleanUps.push(() => keeper.close());
    const first = await accepted();
    first.close("test");
    const second = await accepted();
    expect(second).not.toBe(first);
  });
});

describe("peers that misbehave", () => {
  /** A bare socket that said hello. */
  async function rawPeer(url: string, hello: object = helloOf("node-3")): Promise<WebSocket> {
    const ws = new WebSocket(url, { autoPong: false });
    await new Promise((resolve) => ws.once("open", resolve));
    ws.send(Buffer.concat([Buffer.from([0x91]), encode(hello)]));
    await new Promise((resolve) => ws.once("message", resolve));
    return ws;
  }

  test.each([
    { name: "noise", data: Buffer.from([0xc1, 0xc1]), code: 1008 },
    {
      name: "a wrong shape",
      data: Buffer.concat([Buffer.from([0x91]), encode({ type: "x" })]),
      code: 1008,
    },
    { name: "a text frame", data: "hello", code: 1008 },
    { name: "a frame that is too large", data: Buffer.alloc(5_000_000), code: 1009 },
  ])("$name closes that link with $code and nothing else", async ({ data, code }) => {
    const { system, url, accepted } = await listen();
    const ws = await rawPeer(url);
    const link = await accepted();
    const closed = new Promise((resolve) => ws.once("close", resolve));
    ws.send(data);
    expect(await closed).toBe(code);
    await downOf(link);
    expect(system.nodes()).toEqual([]);
  });

  test("a peer that stops talking is told silent, then down", async () => {
    const { url, accepted } = await listen();
    const ws = await rawPeer(url);
    ws.pause();
    const link = await accepted();
    const silent = new Promise<number>((resolve) => link.events.once("silent", resolve));
    expect(await downOf(link)).toContain("silent for");
    expect(await silent).toBeGreaterThanOrEqual(1_500);
  });

  test("more chunks than were asked for close a bulk link", async () => {
    const { url, accepted } = await listen();
    const ws = await rawPeer(url, helloOf("node-3", "bulk"));
    const link = await accepted();
    ws.send(Buffer.concat([Buffer.from([0x91]), encode({ type: "chunk", id: 1, bytes: 5 })]));
    expect(await downOf(link)).toContain("bulk frame");
  });
});

describe("bulk", () => {
  const mebibyte = 1_048_576;

  test("a control call completes while 20 MiB of bulk are still under way", async () => {
    const { system, url } = await listen();
    const pid = system.spawn(echo);
    system.serveBulk("zeros", async function* (args) {
      for (let sent = 0; sent < Number(args); sent++) yield new Uint8Array(mebibyte).fill(sent);
    });
    const { system: other } = await join(url, "node-2", "control", "bulk");
    const answeredAt: number[] = [];
    let received = 0;
    let calls: Promise<unknown> = Promise.resolve();
    for await (const chunk of other.requestBulk("node-1", "zeros", 20)) {
      expect(chunk[0]).toBe(received / mebibyte);
      received += chunk.length;
      if (received === mebibyte)
        calls = other.call(pid, "now", within).then(() => answeredAt.push(received));
    }
    await calls;
    expect(received).toBe(20 * mebibyte);
    expect(answeredAt[0]).toBeLessThan(20 * mebibyte);
  });

  test("the next chunk is made only when the asker read the earlier ones", async () => {
    const { system, url } = await listen();
    let made = 0;
    let stopped: (() => void) | undefined;
    const stop = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    system.serveBulk("endless", async function* (_args, { signal }) {
      signal.addEventListener("abort", () => stopped?.());
      for (;;) {
        made += 1;
        yield new Uint8Array(10);
      }
    });
    const { system: other } = await join(url, "node-2", "control", "bulk");
    for await (const _chunk of other.requestBulk("node-1", "endless", null)) break;
    await stop;
    expect(made).toBeLessThanOrEqual(6);
  });

  test.each([
    { name: "unknown", code: "HAL_NOT_FOUND" },
    { name: "broken", code: "HAL_INTERNAL" },
    { name: "stuck", code: "HAL_TIMEOUT" },
  ])("a request that is $name rejects with $code", async ({ name, code }) => {
    const { system, url } = await listen();
    system.serveBulk("broken", async function* () {
      yield new Uint8Array(1);
      throw new Error("disk");
    });
    system.serveBulk("stuck", async function* () {
      await new Promise(() => undefined);
      yield new Uint8Array(1);
    });
    const { system: other } = await join(url, "node-2", "bulk");
    const read = async (): Promise<void> => {
      for await (const _chunk of other.requestBulk("node-1", name, null, { idleMs: 50 }));
    };
    await expect(read()).rejects.toMatchObject({ code });
  });
});

describe("bytes", () => {
  test("messages of one tick arrive in order, also those larger than a frame", async () => {
    const { url, accepted } = await listen(["raft"]);
    const link = await connectLink({ url, hello: helloOf("node-2", "raft") });
    cleanUps.push(() => link.close("the test is over"));
    const lengths = [0, 3, 2_500_000, 1];
    for (const length of lengths) link.sendBytes(new Uint8Array(length).fill(length % 251));
    const other = await accepted();
    const received: Uint8Array[] = [];
    await new Promise<void>((resolve) => {
      other.receiveBytes((message) => {
        received.push(message);
        if (received.length === lengths.length) resolve();
      });
    });
    expect(received.map((message) => message.length)).toEqual(lengths);
    expect(
      received.every((message, at) => message.every((byte) => byte === (lengths[at] ?? 0) % 251)),
    ).toBe(true);
  });

  test("a stream that announces too large a message is closed", async () => {
    const { url, accepted } = await listen(["raft"]);
    const ws = new WebSocket(url);
    await new Promise((resolve) => ws.once("open", resolve));
    ws.send(Buffer.concat([Buffer.from([0x91]), encode(helloOf("node-3", "raft"))]));
    const link = await accepted();
    ws.send(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    expect(await downOf(link)).toContain("begins no message");
  });

  test("a node takes no class that it does not serve", async () => {
    const { url, errors } = await listen();
    await expect(connectLink({ url, hello: helloOf("node-2", "raft") })).rejects.toMatchObject({
      code: "HAL_LINK_REFUSED",
      message: expect.stringContaining("class raft is not taken here"),
    });
    expect(errors).toHaveLength(1);
  });
});
