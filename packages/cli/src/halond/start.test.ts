import { expect, test } from "vitest";
import { memoryIo } from "../../testdata/memory-io.ts";
import { deferred } from "../deferred.ts";
import { startOptions } from "./options.ts";
import type { StartNode } from "./run.ts";
import { startOne } from "./start.ts";

const options = startOptions(
  { name: "node-1" },
  { hostname: "h", directory: "/srv", isTerminal: false },
);

function fakeNode() {
  const ended = deferred<void>();
  const stops: unknown[] = [];
  const log = { reopened: 0 };
  const start: StartNode = ({ name = "" }) =>
    Promise.resolve({
      name,
      endpoint: "127.0.0.1:8528",
      role: "tracking",
      leader: name,
      ended: ended.promise,
      reopenLog: () => void log.reopened++,
      stop: (how) => Promise.resolve(void stops.push(how)),
    });
  return { start, ended, stops, log };
}

test("a node that is ready says so in one line, and ends with 0 when it was shut down", async () => {
  const { io, written, until } = memoryIo();
  const { start, ended } = fakeNode();
  const exit = startOne(options, start, io);
  await until("out", /\n/);
  expect(written.out).toBe(
    "halond ready name=node-1 endpoint=http://127.0.0.1:8528 role=tracking leader=node-1\n",
  );
  ended.resolve();
  expect(await exit).toBe(0);
});

test.each([
  ["SIGTERM", false],
  ["SIGINT", false],
  ["SIGUSR2", true],
] as const)("%s stops the node; services are kept: %s", async (signal, keepServices) => {
  const { io, until } = memoryIo();
  const { start, stops } = fakeNode();
  const exit = startOne(options, start, io);
  await until("out", /\n/);
  process.emit(signal);
  expect(await exit).toBe(0);
  expect(stops).toEqual([{ keepServices }]);
});

test("a node that ends by itself with an error ends the program with it", async () => {
  const { io, until } = memoryIo();
  const { start, ended } = fakeNode();
  const exit = startOne(options, start, io);
  await until("out", /\n/);
  ended.reject(new Error("disk"));
  await expect(exit).rejects.toThrow("disk");
});

test("SIGTERM gives up a start that waits for other nodes, which is no failure", async () => {
  const { io, written, until } = memoryIo();
  const start: StartNode = (_, { print, signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      print("waiting for 2 more nodes (1 of 3)");
    });
  const exit = startOne(options, start, io);
  await until("err", /waiting for 2 more nodes \(1 of 3\)\n/);
  process.emit("SIGTERM");
  expect(await exit).toBe(0);
  expect(written.out).toBe("");
});

test("SIGHUP opens the log anew and the node goes on", async () => {
  const { io, until } = memoryIo();
  const { start, ended, log } = fakeNode();
  const exit = startOne(options, start, io);
  await until("out", /\n/);
  process.emit("SIGHUP");
  ended.resolve();
  await exit;
  expect(log.reopened).toBe(1);
});
