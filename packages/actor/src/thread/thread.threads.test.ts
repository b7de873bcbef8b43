import { spawn } from "node:child_process";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { acceptLink, linkServerOptions } from "../link/open.ts";
import { createSystem } from "../system.ts";
import type { ActorSystem } from "../system-port.ts";
import { wrapWorker } from "./endpoint.ts";
import { connectWorkers } from "./host.ts";

const entry = new URL("../../testdata/workers.mjs", import.meta.url);
const within = { timeoutMs: 5_000 };
const systems: ActorSystem[] = [];
afterEach(async () => {
  for (const system of systems.splice(0)) await system.close();
});

function newSystem(): ActorSystem {
  const system = createSystem({ node: "node-1", incarnation: 1 });
  systems.push(system);
  return system;
}

function downOf(system: ActorSystem, pid: Parameters<ActorSystem["send"]>[0]): Promise<unknown> {
  return new Promise((resolve) => {
    system.spawn((self) => {
      self.monitor(pid);
      return { receive: resolve };
    });
  });
}

describe("a process in a thread", () => {
  test("is called like any other, by pid and by name", async () => {
    const system = newSystem();
    const { pid } = system.spawnInWorker(entry, { name: "far", args: { a: 1 } });
    expect(await system.call({ name: "far" }, { do: "echo", value: [1] }, within)).toEqual({
      echo: [1],
      args: { a: 1 },
    });
    expect(system.whereis("far")).toBe(pid);
    expect(() => system.send(pid, { do: () => 1 })).toThrow(/is a function/);
  });

  test.each([
    { name: "crash", reason: { error: { message: "crashed on request" } } },
    { name: "throwInTimer", reason: { error: { message: "uncaught" } } },
    { name: "exit", reason: { error: { details: { exitCode: 7 } } } },
    { name: "stop", reason: "normal" },
  ])("that does $name is down at its exit, and its calls reject", async ({ name, reason }) => {
    const system = newSystem();
    const { pid, exited } = system.spawnInWorker(entry, { name: "far" });
    const down = downOf(system, pid);
    const pending = system.call(pid, { do: "echo" }, within);
    await pending;
    system.send(pid, { do: name });
    expect(await down).toMatchObject({ type: "down", pid, reason });
    await exited;
    await expect(system.call(pid, 1, within)).rejects.toMatchObject({ code: "HAL_NO_PROCESS" });
    expect(system.whereis("far")).toBe(null);
  });

  test("that spins is late for its calls, and a kill ends it", async () => {
    const system = newSystem();
    const { pid } = system.spawnInWorker(entry);
    await system.call(pid, { do: "echo" }, within);
    const down = downOf(system, pid);
    await expect(system.call(pid, { do: "spin" }, { timeoutMs: 50 })).rejects.toMatchObject({
      code: "HAL_TIMEOUT",
    });
    const pending = system.call(pid, { do: "echo" }, within);
    pending.catch(() => undefined);
    system.exit(pid, "killed");
    expect(await down).toMatchObject({ reason: "killed" });
    await expect(pending).rejects.toMatchObject({ code: "HAL_NO_PROCESS" });
  });

  test.each([
    { name: "throws at its start", entry, args: { refuses: true }, message: "cannot start" },
    {
      name: "does not load",
      entry: new URL("no.mjs", entry),
      args: null,
      message: "does not load",
    },
  ])("that $name ends with the error", async ({ entry, args, message }) => {
    const system = newSystem();
    const { pid } = system.spawnInWorker(entry, { args });
    expect(await downOf(system, pid)).toMatchObject({
      reason: { error: { message: expect.stringContaining(message) } },
    });
  });

  test("a thread that does not read refuses further messages", async () => {
    const system = newSystem();
    const { pid } = system.spawnInWorker(entry);
    system.send(pid, { do: "spin" });
    const flood = (): void => {
      for (let sent = 0; sent < 30_000; sent++) system.send(pid, { do: "nothing" });
    };
    expect(flood).toThrow(expect.objectContaining({ code: "HAL_MAILBOX_FULL" }));
    system.exit(pid, "killed");
  });

  test("two threads speak through the main thread, or directly once connected", async () => {
    const system = newSystem();
    const a = system.spawnInWorker(entry, { args: "a" });
    const b = system.spawnInWorker(entry, { args: "b" });
    const ask = { do: "ask", of: b.pid, what: { do: "echo", value: 1 } };
    expect(await system.call(a.pid, ask, within)).toEqual({ echo: 1, args: "b" });
    connectWorkers(a, b);
    expect(await system.call(a.pid, ask, within)).toEqual({ echo: 1, args: "b" });
    expect(await system.call(b.pid, { ...ask, of: a.pid }, within)).toMatchObject({ args: "a" });
  });
});

describe("a node in another OS process", () => {
  test("killed with SIGKILL is seen as noconnection at once", async () => {
    const system = newSystem();
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...linkServerOptions });
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const up = new Promise((resolve) => system.events.once("nodeUp", resolve));
    server.on("connection", (ws: WebSocket) => {
      const hello = {
        protocol: 1,
        cluster: null,
        node: "node-1",
        incarnation: 1,
        address: "x",
      } as const;
      void acceptLink(ws, { hello }).then((link) => system.attach(link));
    });
    const peer = new URL("../../testdata/peer.mjs", import.meta.url).pathname;
    const child = spawn(process.execPath, [peer, `ws://127.0.0.1:${port}/_link`, "node-2"], {
      stdio: "inherit",
    });
    await up;
    const echo = { name: "echo", node: "node-2" };
    expect(await system.call(echo, "hi", within)).toBe("hi");
    const down = downOf(system, echo);
    await system.call(echo, "watched", within);
    child.kill("SIGKILL");
    expect(await down).toMatchObject({ type: "down", reason: "noconnection" });
    await expect(system.call(echo, 1, within)).rejects.toMatchObject({ code: "HAL_UNREACHABLE" });
    server.close();
  });
});

describe("wrapWorker", () => {
  interface Api {
    add(a: number, b: number): number;
    refuse(): void;
    crash(): void;
    exit(): void;
    never(): void;
    spin(): void;
  }
  const comlinkEntry = new URL("../../testdata/comlink-worker.mjs", import.meta.url);

  function wrapped(timeoutMs: number) {
    const worker = new Worker(comlinkEntry, { execArgv: [] });
    const deaths: unknown[] = [];
    const { remote, dispose } = wrapWorker<Api>(worker, {
      timeoutMs,
      onDeath: (error) => deaths.push(error),
    });
    return { worker, remote, dispose, deaths };
  }

  test("calls, and errors keep their code and details", async () => {
    const { worker, remote, dispose } = wrapped(5_000);
    expect(await remote.add(1, 2)).toBe(3);
    await expect(remote.refuse()).rejects.toMatchObject({
      code: "HAL_CONFLICT",
      details: { of: 1 },
    });
    dispose();
    await expect(remote.add(1, 2)).rejects.toMatchObject({ code: "HAL_FAILED" });
    await worker.terminate();
  });

  test.each([
    { end: "crash", message: "The worker failed: uncaught" },
    { end: "exit", message: "The worker exited with code 3." },
  ] as const)("a pending call rejects when the worker does $end", async ({ end, message }) => {
    const { remote, deaths } = wrapped(5_000);
    await remote.add(1, 2);
    const pending = remote.never();
    void remote[end]().then(undefined, () => undefined);
    await expect(pending).rejects.toMatchObject({ code: "HAL_FAILED", message });
    expect(deaths).toEqual([expect.objectContaining({ message })]);
    await expect(remote.add(1, 2)).rejects.toMatchObject({ message });
  });

  test("a call to a worker that hangs rejects at the deadline", async () => {
    const { worker, remote } = wrapped(300);
    await remote.add(1, 2).catch(() => undefined);
    await expect(remote.spin()).rejects.toMatchObject({ code: "HAL_TIMEOUT" });
    await worker.terminate();
  });
});
