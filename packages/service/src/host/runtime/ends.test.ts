import { HalonError, type ServiceManifest } from "@halon/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TroubleAnswer } from "../../definition.ts";
import type { Runner, RunnerEvent } from "../runner.ts";
import { createRuntime } from "./create-runtime.ts";
import type { RuntimeEvent } from "./runtime.ts";
import { manifestOf, startAction, temporaryDirectory } from "./testing.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const at = { service: "good", instance: "good@node-1#1" };
const gone = { type: "exited", exit: { code: 1, signal: null }, reason: "it is gone" } as const;
const trouble = { type: "trouble", ref: "7", code: "DISK", reason: "it is full" } as const;

/** A runner that does what the test says, and nothing by itself; what is asked of it is written down. */
function setUp(manifest: Partial<ServiceManifest> = {}, changes: Partial<Runner> = {}) {
  const events: RuntimeEvent[] = [];
  const asked: string[] = [];
  let tell: (event: RunnerEvent) => void = () => undefined;
  const runner: Runner = {
    osPid: undefined,
    requestStop: () => void asked.push("stop"),
    kill: () => void asked.push("kill"),
    check: async () => ({ health: "ok" }),
    status: async () => null,
    reconfigure: async () => "restart",
    answerTrouble: (ref: string, { answer, data }: TroubleAnswer) =>
      void asked.push(`answer ${ref} ${answer} ${JSON.stringify(data ?? null)}`),
    call: async (message, args) => [message, ...args],
    silentMs: () => undefined,
    memoryMb: () => undefined,
    release: () => true,
    ...changes,
  };
  const runtime = createRuntime({
    node: "node-1",
    dataDir: temporaryDirectory(),
    blobPath: (hash) => hash,
    emit: (event) => void events.push(event),
    runners: {
      worker: (_, listener) => {
        tell = listener;
        return runner;
      },
    },
    now: () => Date.now(),
  });
  runtime.start(startAction(1, manifestOf(manifest)), "1.0");
  const say = (event: RunnerEvent) => tell(event);
  return { runtime, events, asked, say, types: () => events.map(({ type }) => type) };
}

test("one whose work is done is asked to stop, and has exited and not failed", () => {
  const { events, asked, say, types } = setUp();
  say({ type: "ready" });
  say({ type: "exiting", reason: "all is counted" });
  expect(asked).toEqual(["stop"]);
  say(gone);
  expect(types()).toEqual(["ServiceStarted", "ServiceExited"]);
  expect(events.at(-1)).toMatchObject({ data: { reason: "all is counted", exit: { code: 1 } } });
});

test("one that does not end after it said so is killed at its stop deadline, and has exited all the same", () => {
  const { asked, say, types } = setUp({ stopTimeoutMs: 300 });
  say({ type: "ready" });
  say({ type: "exiting", reason: "all is counted" });
  vi.advanceTimersByTime(300);
  expect(asked).toEqual(["stop", "kill"]);
  say(gone);
  expect(types().at(-1)).toBe("ServiceExited");
});

test("one that is done before it was ready answers the start, which is told after its end", () => {
  const { events, say, types } = setUp();
  say({ type: "exiting", reason: "nothing to do" });
  say(gone);
  expect(types()).toEqual(["ServiceExited", "CommandRefused"]);
  expect(events.at(-1)).toMatchObject({ data: { command: "1.0", code: "HAL_CONFLICT" } });
});

test("a stop that comes while it exits is answered after its end", () => {
  const { runtime, say, types } = setUp();
  say({ type: "ready" });
  say({ type: "exiting", reason: "done" });
  runtime.stop({ type: "StopService", ...at, reason: "test" }, "2.0");
  say(gone);
  expect(types()).toEqual(["ServiceStarted", "ServiceExited", "ServiceStopped"]);
});

const causes: readonly (readonly [string, readonly RunnerEvent[], object])[] = [
  ["an end without a word", [gone], { cause: "exit", reason: "it is gone" }],
  ["an uncaught exception", [{ ...gone, cause: "exception" }], { cause: "exception" }],
  [
    "one that calls itself failed",
    [{ type: "problem", code: "HAL_FAILED", reason: "no disk", failureCode: "DISK" }, gone],
    { cause: "announced", code: "DISK", reason: "no disk" },
  ],
  [
    "a runner that knows the cause",
    [{ type: "problem", code: "HAL_FAILED", reason: "too much", cause: "memory" }, gone],
    { cause: "memory" },
  ],
];

test.each(causes)("%s is told by its cause", (_, said, data) => {
  const { events, say } = setUp();
  say({ type: "ready" });
  for (const event of said) say(event);
  expect(events.at(-1)).toMatchObject({ type: "ServiceFailed", data });
});

test.each([
  ["hung", { silentMs: () => 5_000 }],
  ["memory", { memoryMb: () => 1_000 }],
  ["liveness", { alive: async () => ({ ok: false }) }],
] as const)("one that is ended because of it is told as %s", async (cause, changes) => {
  const { events, say } = setUp({ checkEveryMs: 50, livenessFailures: 2 }, changes);
  say({ type: "ready" });
  await vi.advanceTimersByTimeAsync(1_000);
  say(gone);
  expect(events.at(-1)).toMatchObject({ type: "ServiceFailed", data: { cause } });
});

const checked = (doubt?: string) =>
  ({ type: "CheckService", ...at, ...(doubt === undefined ? {} : { doubt }) }) as const;
const doubt = "doubted by node-2: no answer within 2 s (3 times)";
const late = () => Promise.reject(new HalonError("HAL_TIMEOUT", "no answer"));

test.each([
  ["gets no answer", { check: late }, "unknown", "hung"],
  ["is not alive", { alive: async () => ({ ok: false, detail: "stopped" }) }, "fail", "liveness"],
] as const)(
  "one that others doubt and that %s is ended by a single check",
  async (_, changes, health, cause) => {
    const { runtime, events, asked, say } = setUp({ checkEveryMs: 3_600_000 }, changes);
    say({ type: "ready" });
    await vi.advanceTimersByTimeAsync(1);
    runtime.perform(checked(), "2.0");
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toEqual([]);
    runtime.perform(checked(doubt), "2.1");
    await vi.advanceTimersByTimeAsync(1);
    expect(events.at(-1)).toMatchObject({
      ...{ type: "ServiceChecked", data: { command: "2.1", health } },
    });
    expect(asked).toEqual(["kill"]);
    say(gone);
    const reason = expect.stringContaining(doubt);
    expect(events.at(-1)).toMatchObject({ type: "ServiceFailed", data: { cause, reason } });
  },
);

test.each(["ok", "warn", "fail"] as const)(
  "one that others doubt and that answers %s by itself runs on",
  async (health) => {
    const { runtime, events, asked, say } = setUp({}, { check: async () => ({ health }) });
    say({ type: "ready" });
    runtime.perform(checked(doubt), "2.0");
    await vi.advanceTimersByTimeAsync(1);
    expect(events.at(-1)).toMatchObject({ type: "ServiceChecked", data: { health } });
    expect(asked).toEqual([]);
  },
);

test("who asks for others is told readiness and liveness in one, and ends nothing", async () => {
  let ok = true;
  const { runtime, asked, say } = setUp(
    { checkEveryMs: 3_600_000, livenessFailures: 1 },
    { alive: async () => (ok ? { ok } : { ok, detail: "stopped" }) },
  );
  await expect(runtime.probe(at.instance)).rejects.toMatchObject({
    code: "HAL_SERVICE_NOT_RUNNING",
  });
  say({ type: "ready" });
  await vi.advanceTimersByTimeAsync(1);
  expect(await runtime.probe(at.instance)).toEqual({ health: "ok" });
  ok = false;
  expect(await runtime.probe(at.instance)).toEqual({ health: "fail", detail: "stopped" });
  expect(asked).toEqual([]);
});

const answer = (answer: "goOn" | "restart" | "stop", data?: string) =>
  ({
    type: "AnswerTrouble",
    ...at,
    ref: "7",
    answer,
    ...(data === undefined ? {} : { data }),
  }) as const;

test("a trouble is told, and its answer comes to the service, which goes on", () => {
  const { runtime, events, asked, say, types } = setUp();
  say({ type: "ready" });
  say(trouble);
  expect(events.at(-1)).toMatchObject({
    type: "ServiceTrouble",
    data: { ref: "7", code: "DISK", reason: "it is full" },
  });
  runtime.perform(answer("goOn", "3 GB"), "2.0");
  expect(asked).toEqual(['answer 7 goOn "3 GB"']);
  expect(types().at(-1)).toBe("TroubleAnswered");
  expect(runtime.inventory()).toMatchObject([{ state: "running" }]);
});

test.each([
  ["restart", { type: "ServiceFailed", data: { cause: "trouble", code: "DISK" } }],
  ["stop", { type: "ServiceExited", data: { reason: "trouble DISK: it is full" } }],
] as const)("the answer %s ends it, after it was told and asked to stop", (what, end) => {
  const { runtime, events, asked, say } = setUp();
  say({ type: "ready" });
  say(trouble);
  runtime.perform(answer(what), "2.0");
  expect(asked).toEqual([`answer 7 ${what} null`, "stop"]);
  say(gone);
  expect(events.at(-1)).toMatchObject(end);
});

test("an answer that comes twice, or to no trouble, does nothing and is answered", () => {
  const { runtime, asked, say, types } = setUp();
  say({ type: "ready" });
  say(trouble);
  runtime.perform(answer("goOn"), "2.0");
  runtime.perform(answer("restart"), "2.1");
  expect(asked).toEqual(["answer 7 goOn null"]);
  expect(types().filter((type) => type === "TroubleAnswered")).toHaveLength(2);
});

test("an answer to one that is not here is refused", () => {
  const { runtime, events } = setUp();
  runtime.perform({ ...answer("goOn"), instance: "good@node-1#9" }, "2.0");
  expect(events.at(-1)).toMatchObject({
    type: "CommandRefused",
    data: { code: "HAL_SERVICE_NOT_RUNNING" },
  });
});

const messages = {
  add: {
    type: "array",
    prefixItems: [{ type: "number" }, { type: "object", properties: { by: { type: "number" } } }],
    items: false,
    minItems: 1,
    maxItems: 2,
  },
};

test("a message that the type declares comes to the service", async () => {
  const { runtime, say } = setUp({ messages });
  say({ type: "ready" });
  expect(await runtime.call(at.instance, "add", [1, { by: 2 }], 1_000)).toEqual([
    "add",
    1,
    { by: 2 },
  ]);
});

test.each([
  ["a wrong argument", "add", ["one"], "HAL_SCHEMA_VIOLATION", "argument 1: expected number"],
  ["a wrong field", "add", [1, { by: "x" }], "HAL_SCHEMA_VIOLATION", "argument 2.by"],
  ["a missing argument", "add", [], "HAL_SCHEMA_VIOLATION", "takes at least 1 arguments, got 0"],
  ["too many", "add", [1, {}, 3], "HAL_SCHEMA_VIOLATION", "takes at most 2 arguments, got 3"],
  ["one that it does not declare", "sub", [1], "HAL_NOT_FOUND", "it takes add"],
  ["a name that every object has", "constructor", [], "HAL_NOT_FOUND", "it takes add"],
] as const)("%s is refused before it comes to the service", async (_, name, args, code, text) => {
  const { runtime, say } = setUp({ messages });
  say({ type: "ready" });
  const refused = runtime.call(at.instance, name, [...args], 1_000);
  await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
});

test("a type that declares no messages takes any", async () => {
  const { runtime, say } = setUp();
  say({ type: "ready" });
  expect(await runtime.call(at.instance, "anything", [1], 1_000)).toEqual(["anything", 1]);
});
