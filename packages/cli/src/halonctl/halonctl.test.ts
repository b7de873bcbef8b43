import { listen } from "@halon/api";
import { memoryPorts } from "@halon/api/testing";
import { errorCodes, HalonError, type OperationStatus } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import { parse } from "yaml";
import { memoryIo } from "../../testdata/memory-io.ts";
import { failureOf } from "../failure.ts";
import { runHalonctl } from "./main.ts";
import { isReached, statesOf, targetOf } from "./wait.ts";

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function run(command: readonly string[], overrides: Parameters<typeof memoryPorts>[0] = {}) {
  const memory = memoryPorts(overrides);
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    ports: memory.ports,
    allowedHosts: [],
  });
  ends.push(() => listener.close(0));
  const { io, written } = memoryIo({ HALON_ENDPOINT: `127.0.0.1:${listener.port}` });
  const exit = await runHalonctl(command, io);
  return { exit, ...written, ...memory };
}

const ended = (more: Partial<OperationStatus>): OperationStatus => ({
  operation: "o1",
  action: "check",
  target: "web",
  state: "done",
  waiting: [],
  since: "2026-01-01T00:00:00.000Z",
  ...more,
});

test("every error code ends with the exit code of its table (rfc/0003)", () => {
  for (const [code, { exit }] of Object.entries(errorCodes)) {
    const error = new HalonError(code as keyof typeof errorCodes, "It is so.\nDo that.\nmore");
    expect(failureOf("halonctl", error)).toEqual({
      exit,
      text: `halonctl: ${code}: It is so.\nDo that.\n`,
    });
  }
});

test.each([
  [["status", "-o", "json"], '"state": "healthy"'],
  [["-o", "name", "node", "list"], "node/node-1\n"],
  [["node", "show", "node-1", "-o", "yaml"], "name: node-1"],
  [["service", "types"], "TYPE"],
  [["service", "config", "get", "web"], "greeting: hi"],
  [["service", "logs", "web"], "line\n"],
  [["rule", "list"], "builtin/x"],
  [["graph", "query", "Node"], "node-1"],
  [["graph", "show", "node/node-1"], "kind: Node"],
  [["graph", "export", "--format", "dot"], "the graph as dot\n"],
  [["event", "emit", "X", "{}", "--id", "e1", "-o", "name"], "event/e1\n"],
])("halonctl %j writes data to stdout and nothing to stderr", async (command, text) => {
  const { exit, out, err } = await run(command);
  expect({ exit, err }).toEqual({ exit: 0, err: "" });
  expect(out).toContain(text);
});

test.each([
  [["service", "show", "ghost"], 3, "HAL_NOT_FOUND"],
  [["event", "emit", "ServiceFailed"], 1, "HAL_FORBIDDEN"],
  [["event", "emit", "X", "{"], 2, "HAL_USAGE"],
  [["service", "start", "web", "--no"], 2, "HAL_USAGE"],
  [["service", "config", "set", "web", "greeting=3"], 2, "HAL_SCHEMA_VIOLATION"],
  [["-e", "127.0.0.1:1", "status"], 5, "HAL_UNREACHABLE"],
  [["-e", "http://a/path", "status"], 2, "HAL_USAGE"],
  [["wait", "service/web", "--for", "running", "--timeout", "1ms"], 6, "HAL_TIMEOUT"],
  [["bundle", "list"], 1, "not built yet"],
  [["node", "drain", "ghost"], 3, "HAL_NOT_FOUND"],
  [["node", "show", "ghost"], 3, "HAL_NOT_FOUND"],
  [["node", "maintenance", "node-1"], 2, "HAL_USAGE"],
  [["node", "maintenance", "node-1", "maybe"], 2, "HAL_USAGE"],
])("halonctl %j ends with %i and one line", async (command, exit, named) => {
  const result = await run(command);
  expect(result.exit).toBe(exit);
  expect(result.err).toMatch(/^halonctl: [^\n]*\n$/);
  expect(result.err).toContain(named);
  expect(result.out).toBe("");
});

const noAnswer = (code: "HAL_TIMEOUT" | "HAL_NOT_FOUND", text: string) => ({
  send: () => Promise.reject(new HalonError(code, text)),
});

test("a message is sent with its arguments, JSON or text, and its answer is printed as JSON", async () => {
  const command = ["service", "send", "web", "add", "1", '{"by":2}', "plain", "--on", "node-1"];
  const { exit, out } = await run(command);
  expect([exit, JSON.parse(out)]).toEqual([0, ["add", 1, { by: 2 }, "plain"]]);
  const data = await run([...command, "-o", "json"]);
  expect(JSON.parse(data.out)).toMatchObject({
    instance: "web@node-1#1",
    answer: ["add", 1, {}, "plain"],
  });
});

test.each([
  ["no answer in time", "HAL_TIMEOUT", 6],
  ["a message that it does not take", "HAL_NOT_FOUND", 3],
] as const)("a message with %s ends with its exit code", async (_, code, exit) => {
  const result = await run(["service", "send", "web", "add"], noAnswer(code, "It was not so."));
  expect([result.exit, result.err]).toEqual([exit, expect.stringContaining("It was not so.")]);
});

test("a mutation waits unless told not to, and records the reason", async () => {
  const waited = await run(["service", "restart", "web", "--on", "node-1", "--reason", "slow"]);
  expect(waited.exit).toBe(0);
  expect(waited.submitted[0]?.data).toMatchObject({ on: "node-1", reason: "slow" });
  const late = {
    waitOperation: () => Promise.resolve(ended({ state: "running", waiting: ["web@a#1"] })),
  };
  const stuck = await run(["service", "stop", "web"], late);
  expect([stuck.exit, stuck.err]).toEqual([6, expect.stringContaining("web@a#1")]);
  const sent = await run(["service", "stop", "web", "--no-wait"], late);
  expect(sent.exit).toBe(0);
});

test("a move names where from, and where to if a person says so; nodes have to be there", async () => {
  const moved = await run(["service", "move", "web", "--from", "node-1", "--reason", "hot"]);
  expect([moved.exit, moved.submitted]).toMatchObject([
    0,
    [{ type: "ServiceMoveRequested", data: { service: "web", from: "node-1", reason: "hot" } }],
  ]);
  const nowhere = await run(["service", "move", "web", "--from", "node-1", "--to", "node-9"]);
  expect([nowhere.exit, nowhere.submitted]).toEqual([3, []]);
  expect(nowhere.err).toContain("node-9");
  expect((await run(["service", "move", "web"])).exit).toBe(2);
});

test("a dry run of a start shows each condition, does nothing, and ends with 4 when it is refused", async () => {
  const fits = await run(["service", "start", "web", "--dry-run"]);
  expect([fits.exit, fits.err, fits.submitted]).toEqual([0, "", []]);
  expect(fits.out).toMatch(/^NODE +CONDITION +HOLDS +DETAIL\nnode-1 +node +yes +node-1 is known\n/);
  expect(fits.out).toMatch(/\nnode-1 +would +start\n$/);
  const refused = await run(["service", "start", "web", "--on", "node-9", "--dry-run"]);
  expect(refused.exit).toBe(4);
  expect(refused.err).toContain("web would be refused on node-9: there is no node node-9");
  expect(refused.out).toMatch(/node-9 +node +no +there is no node/);
  const data = await run(["service", "start", "web", "--dry-run", "-o", "json"]);
  expect(JSON.parse(data.out)).toMatchObject([{ node: "node-1", would: "start" }]);
});

test("an operation that failed is an error with its reason", async () => {
  const failed = ended({ state: "failed", reason: "no node has room" });
  const result = await run(["service", "start", "web"], {
    waitOperation: () => Promise.resolve(failed),
  });
  expect([result.exit, result.err]).toEqual([1, expect.stringContaining("no node has room")]);
});

test("a check that finds a failing instance ends with 7", async () => {
  const answers = { "web@node-1#1": { health: "fail" }, "web@node-2#1": { health: "ok" } };
  const result = await run(["service", "check", "web"], {
    waitOperation: () => Promise.resolve(ended({ answers })),
  });
  expect([result.exit, result.err]).toEqual([7, expect.stringContaining("web@node-1#1")]);
});

test("a report is shown whole, however long; programs get it as the cluster has it", async () => {
  const report = { lines: ["x".repeat(200)] };
  const answers = { "web@node-1#1": { report } };
  const asked = { waitOperation: () => Promise.resolve(ended({ action: "status", answers })) };
  const { exit, out } = await run(["service", "status", "web"], asked);
  expect([exit, parse(out)]).toEqual([0, { "web@node-1#1": report }]);
  const data = await run(["service", "status", "web", "-o", "json"], asked);
  expect(JSON.parse(data.out)).toEqual([{ instance: "web@node-1#1", answer: { report } }]);
});

test("config set keeps the other fields", async () => {
  const { submitted } = await run(["service", "config", "set", "web", "greeting=ho"]);
  expect(submitted[0]?.data).toMatchObject({ service: "web", config: { greeting: "ho" } });
});

test("what is not built is absent from help", async () => {
  const { exit, out } = await run(["--help"]);
  expect(exit).toBe(0);
  expect(out).not.toMatch(/bundle|token|completion|why/);
});

test("a service is reached when all its instances are; one that is gone is stopped", () => {
  expect(targetOf("service/web@node-1")).toEqual({
    type: "service",
    service: "web",
    node: "node-1",
  });
  expect(statesOf(memoryPorts().ports.status(), targetOf("node/node-1"))).toEqual(["up"]);
  expect(isReached(["running", "starting"], "running")).toBe(false);
  expect(isReached([], "running")).toBe(false);
  expect(isReached([], "stopped")).toBe(true);
});
