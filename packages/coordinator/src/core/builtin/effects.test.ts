import { defineEvent, type events, type Json, type JsonObject } from "@halon/protocol";
import {
  by,
  type CallOptions,
  callAwaited,
  defineRules,
  effect,
  type JobEvent,
  on,
  type RunOptions,
  runAwaited,
  setup,
  statechart,
  z,
} from "@halon/rules";
import { describe, expect, test } from "vitest";
import { emit } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";

const Run = defineEvent({
  type: "Run",
  schema: z.strictObject({ name: z.string(), options: z.any() }),
});
const Call = defineEvent({ type: "Call", schema: z.strictObject({ options: z.any() }) });
const Repair = defineEvent({ type: "Repair", schema: z.strictObject({ of: z.string() }) });

const machine = setup({
  types: {
    context: {} as object,
    events: {} as JobEvent<typeof Repair | typeof events.RunEnded>,
    input: {} as JobEvent<typeof Repair>,
    output: {} as { outcome: string },
  },
  actions: { begin: effect },
  guards: { isDone: ({ event }) => event.type === "RunEnded" && event.data.outcome === "done" },
}).createMachine({
  context: {},
  initial: "running",
  entry: "begin",
  states: {
    running: {
      after: { 60000: "failed" },
      on: { RunEnded: [{ guard: "isDone", target: "repaired" }, { target: "failed" }] },
    },
    repaired: { type: "final" },
    failed: { type: "final", tags: "failed" },
  },
});

const Tell = defineEvent({ type: "Tell", schema: z.strictObject({ of: z.string() }) });

const telling = setup({
  types: {
    context: {} as object,
    events: {} as JobEvent<typeof Tell | typeof events.CallEnded>,
    input: {} as JobEvent<typeof Tell>,
  },
  actions: { begin: effect },
}).createMachine({
  context: {},
  initial: "calling",
  entry: "begin",
  states: {
    calling: { after: { 60000: "silent" }, on: { CallEnded: "told" } },
    told: { type: "final" },
    silent: { type: "final", tags: "failed" },
  },
});

const rules = defineRules({
  run: on(Run).do(({ event, run }) => void run(event.name, event.options as RunOptions)),
  call: on(Call).do(({ event, call }) => void call(event.options as CallOptions)),
  tell: statechart({
    on: [by(Tell, ({ of }) => of), callAwaited],
    starts: [Tell],
    machine: telling,
    effects: {
      begin: ({ call }) =>
        void call({ url: "http://example.org/", body: null, on: "a", deadlineMs: 1_000 }),
    },
  }),
  repair: statechart({
    on: [by(Repair, ({ of }) => of), runAwaited],
    starts: [Repair],
    machine,
    effects: { begin: ({ run, key }) => void run("repair", { on: key, deadlineMs: 1_000 }) },
  }),
});

function start(): TestCluster {
  const cluster = new TestCluster({ mine: rules });
  for (const name of ["a", "b"]) cluster.addNode(name);
  cluster.settle();
  return cluster;
}

const run = (cluster: TestCluster, name: string, options: object) =>
  cluster.emit("Run", { name, options: options as Json });
const call = (cluster: TestCluster, options: object) =>
  cluster.emit("Call", { options: options as Json });

/** The one command that the node has got and not answered; its answer is sent by `answer`. */
function sent(cluster: TestCluster, node: string) {
  const commands = cluster.state.outbox.of(node);
  expect(commands).toHaveLength(1);
  const [command] = commands;
  if (command === undefined) throw new Error("unreachable");
  const answer = (type: string, data: JsonObject) => {
    emit(cluster.node(node), type, { node, command: command.id, ...data });
    cluster.deliverEvent(node);
  };
  return { command, answer };
}

const ended = (cluster: TestCluster, type: "RunEnded" | "CallEnded") =>
  cluster.decided(type).map(({ data }) => data);

describe("run", () => {
  test("sends the program to the node, and RunEnded tells how it ended", () => {
    const cluster = start();
    run(cluster, "repair", { on: "a", args: ["--all"], deadlineMs: 1_000, ref: "mine" });
    const { command, answer } = sent(cluster, "a");
    expect(command.action).toMatchObject({
      type: "RunProgram",
      name: "repair",
      args: ["--all"],
      timeoutMs: 1_000,
    });
    answer("ProgramEnded", { outcome: "failed", exit: 3, output: "no disk" });
    expect(ended(cluster, "RunEnded")).toEqual([
      {
        ref: "mine",
        node: "a",
        name: "repair",
        outcome: "failed",
        exit: 3,
        output: "no disk",
        asked: { rule: "mine/run" },
      },
    ]);
    expect(cluster.state.outbox.size).toBe(0);
  });

  test("ends once, however often its node tells", () => {
    const cluster = start();
    run(cluster, "repair", { on: "a", deadlineMs: 1_000 });
    const { answer } = sent(cluster, "a");
    answer("ProgramEnded", { outcome: "done", exit: 0, output: "" });
    answer("ProgramEnded", { outcome: "unknown", output: "" });
    expect(ended(cluster, "RunEnded")).toMatchObject([{ outcome: "done" }]);
  });

  test("is refused where nothing could run it: the reason says what there is", () => {
    const cluster = start();
    run(cluster, "repair", { on: "c", deadlineMs: 1_000 });
    cluster.lose("b");
    run(cluster, "repair", { on: "b", deadlineMs: 1_000 });
    expect(ended(cluster, "RunEnded")).toMatchObject([
      { outcome: "refused", reason: "there is no node c; there is a, b" },
      { outcome: "refused", reason: "node b is down" },
    ]);
  });

  test("is refused by the node's word", () => {
    const cluster = start();
    run(cluster, "repair", { on: "a", deadlineMs: 1_000 });
    const reason = "repair is not in the allow-list";
    sent(cluster, "a").answer("CommandRefused", { code: "HAL_FORBIDDEN", reason });
    expect(ended(cluster, "RunEnded")).toMatchObject([
      { outcome: "refused", reason: `a refused it: ${reason}` },
    ]);
  });

  test.each([
    { when: "nobody tells in time", act: (cluster: TestCluster) => cluster.tick(11_000) },
    { when: "its node is lost", act: (cluster: TestCluster) => cluster.lose("a") },
  ])("is unknown when $when, and ends for good", ({ act }) => {
    const cluster = start();
    run(cluster, "repair", { on: "a", deadlineMs: 1_000 });
    const { answer } = sent(cluster, "a");
    act(cluster);
    answer("ProgramEnded", { outcome: "done", exit: 0, output: "" });
    expect(ended(cluster, "RunEnded")).toMatchObject([{ outcome: "unknown" }]);
    expect(cluster.state.outbox.of("a")).toEqual([]);
  });

  test.each([
    { name: "../sh", options: { on: "a", deadlineMs: 1 }, flaw: "the name of the program" },
    { name: "repair", options: { on: "a", args: ["a\0b"], deadlineMs: 1 }, flaw: "NUL" },
    {
      name: "repair",
      options: { on: "a", args: Array(65).fill("x"), deadlineMs: 1 },
      flaw: "args",
    },
    { name: "repair", options: { on: "a", deadlineMs: 0 }, flaw: "deadlineMs is 0" },
    { name: "repair", options: { on: "a" }, flaw: "deadlineMs is undefined" },
    { name: "repair", options: { on: "a", deadlineMs: 1, ref: "" }, flaw: "ref" },
  ])("throws on what can never be run: $flaw", ({ name, options, flaw }) => {
    const cluster = start();
    run(cluster, name, options);
    expect(cluster.decided("RuleFailed")).toMatchObject([
      { data: { rule: "mine/run", reason: expect.stringContaining(flaw) } },
    ]);
    expect(cluster.state.outbox.size).toBe(0);
  });

  test("of a job ends in that job", () => {
    const cluster = start();
    cluster.emit("Repair", { of: "a" });
    cluster.emit("Repair", { of: "b" });
    sent(cluster, "a").answer("ProgramEnded", { outcome: "done", exit: 0, output: "" });
    sent(cluster, "b").answer("ProgramEnded", { outcome: "timedOut", output: "" });
    expect(cluster.decided("JobEnded")).toMatchObject([
      { data: { key: "a", outcome: "done" } },
      { data: { key: "b", outcome: "failed" } },
    ]);
  });
});

describe("call", () => {
  const url = "https://example.org/hook?token=abc";

  test("is made by a node that is up, and CallEnded tells how it ended, without the query", () => {
    const cluster = start();
    call(cluster, { url, body: { z: 1, a: [2] }, deadlineMs: 5_000, headers: { "X-Kind": "t" } });
    const { command, answer } = sent(cluster, "a");
    expect(command.action).toMatchObject({
      type: "CallWebhook",
      url,
      body: { a: [2], z: 1 },
      headers: { "x-kind": "t" },
      attempts: 5,
    });
    answer("WebhookEnded", { outcome: "done", status: 202, attempts: 2, body: "thanks" });
    expect(ended(cluster, "CallEnded")).toEqual([
      {
        ref: command.id,
        node: "a",
        url: "https://example.org/hook",
        outcome: "done",
        status: 202,
        attempts: 2,
        body: "thanks",
        asked: { rule: "mine/call" },
      },
    ]);
  });

  test("goes past nodes that people have set aside, and those that are down", () => {
    const cluster = start();
    cluster.ask("NodeMaintenanceRequested", { node: "a", on: true });
    call(cluster, { url, body: null, deadlineMs: 5_000 });
    sent(cluster, "b").answer("WebhookEnded", { outcome: "done", attempts: 1, body: "" });
    cluster.lose("b");
    call(cluster, { url, body: null, deadlineMs: 5_000 });
    sent(cluster, "a").answer("WebhookEnded", { outcome: "done", attempts: 1, body: "" });
    cluster.lose("a");
    call(cluster, { url, body: null, deadlineMs: 5_000 });
    expect(ended(cluster, "CallEnded")).toMatchObject([
      { node: "b", outcome: "done" },
      { node: "a", outcome: "done" },
      { node: "", outcome: "refused", reason: "no node is up to make the call" },
    ]);
  });

  test("is unknown when its node is lost", () => {
    const cluster = start();
    call(cluster, { url, body: null, on: "b", deadlineMs: 5_000 });
    cluster.lose("b");
    expect(ended(cluster, "CallEnded")).toMatchObject([{ node: "b", outcome: "unknown" }]);
  });

  const secret = { $secret: "env:TOKEN" };
  test.each([
    { options: { url: "ftp://example.org" }, flaw: "expected http:// or https://" },
    { options: { url: "https://me:pw@example.org/" }, flaw: "without user name, password" },
    { options: { url: "https://example.org/#a" }, flaw: "fragment" },
    { options: { url, headers: { Host: "x" } }, flaw: "this header is set by Halon" },
    { options: { url, headers: { "Idempotency-Key": "x" } }, flaw: "set by Halon" },
    { options: { url, headers: { a: "x\r\nb: y" } }, flaw: "headers" },
    { options: { url, headers: { a: "x", A: "y" } }, flaw: "a is given twice" },
    { options: { url, headers: { a: { ...secret, more: 1 } } }, flaw: "headers" },
    { options: { url, attempts: 0 }, flaw: "attempts is 0" },
    { options: { url, body: "x".repeat(300_000) }, flaw: "a call may have 262144" },
  ])("throws on what can never be called: $flaw", ({ options, flaw }) => {
    const cluster = start();
    call(cluster, { body: null, deadlineMs: 1_000, ...options });
    expect(cluster.decided("RuleFailed")).toMatchObject([
      { data: { reason: expect.stringContaining(flaw) } },
    ]);
  });

  test("of a job ends in that job", () => {
    const cluster = start();
    cluster.emit("Tell", { of: "a" });
    sent(cluster, "a").answer("WebhookEnded", { outcome: "done", attempts: 1, body: "" });
    expect(cluster.decided("JobEnded")).toMatchObject([
      { data: { rule: "mine/tell", key: "a", outcome: "done" } },
    ]);
  });

  test("does not put a wrong header's value, which may be a secret, into the log", () => {
    const cluster = start();
    call(cluster, { url, body: null, deadlineMs: 1_000, headers: { authorization: "hunter2\n" } });
    expect(JSON.stringify(cluster.decided("RuleFailed"))).not.toContain("hunter2");
  });
});
