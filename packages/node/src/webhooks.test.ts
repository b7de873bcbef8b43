import { EventEmitter, on } from "node:events";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type CallAction, Webhooks } from "./webhooks.ts";

const log = pino({ level: "silent" });
let dataDir = "";
const close: (() => unknown)[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "halon-calls-"));
});

afterEach(async () => {
  for (const each of close.splice(0)) await each();
  await rm(dataDir, { recursive: true });
});

interface Told {
  readonly type: string;
  readonly data: { readonly outcome: string; readonly body: string; readonly reason?: string };
}

interface Asked {
  readonly method: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A server that answers the n-th request as the n-th of these does, and all later ones as the last. */
async function serve(...answers: readonly ((response: ServerResponse) => void)[]) {
  const asked: Asked[] = [];
  const arrivals = new EventEmitter();
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (text) => {
      body += String(text);
    });
    request.on("end", () => {
      asked.push({ method: request.method, headers: request.headers, body });
      (answers[asked.length - 1] ?? answers.at(-1))?.(response);
      arrivals.emit("asked");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  close.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  return { url, asked, arrivals };
}

const status =
  (code: number, body = "", headers = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(code, headers).end(body);

/** Webhooks of this data directory, and what they tell, in order. */
function start() {
  const told = new EventEmitter();
  const stream = on(told, "told", { signal: AbortSignal.timeout(20_000) });
  const emit = (type: string, data: unknown) => void told.emit("told", { type, data });
  const webhooks = new Webhooks({ node: "a", clusterId: "c1", dataDir, log, emit });
  close.push(() => webhooks.close());
  return { webhooks, next: async () => ((await stream.next()).value as [Told])[0] };
}

const call = (url: string, more: Partial<CallAction> = {}): CallAction => ({
  ...{ type: "CallWebhook", service: "halon-call", instance: "halon-call@a#1", ref: "7.1" },
  ...{ url, headers: {}, body: { disk: 3 }, attempts: 5, timeoutMs: 20_000 },
  asked: { rule: "mine/rule" },
  ...more,
});

test("it is a POST of JSON, with the key of its command", async () => {
  const { url, asked } = await serve(status(202, "thanks"));
  const { webhooks, next } = start();
  webhooks.perform(call(url, { headers: { "x-kind": "test" } }), "7.1");
  expect(await next()).toEqual({
    type: "WebhookEnded",
    data: { node: "a", command: "7.1", outcome: "done", status: 202, attempts: 1, body: "thanks" },
  });
  expect(asked).toMatchObject([
    {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "idempotency-key": "c1.7.1",
        "x-kind": "test",
      },
      body: '{"disk":3}',
    },
  ]);
});

test("what is not there for a while is tried again, with the same key", async () => {
  const { url, asked } = await serve(status(503), status(429), status(200));
  const { webhooks, next } = start();
  webhooks.perform(call(url), "7.1");
  expect(await next()).toMatchObject({ data: { outcome: "done", attempts: 3 } });
  expect(asked.map(({ headers }) => headers["idempotency-key"])).toEqual([
    "c1.7.1",
    "c1.7.1",
    "c1.7.1",
  ]);
});

test("one that asks for patience longer than there is time for ends at once", async () => {
  const { url, asked } = await serve(status(503, "", { "retry-after": "600" }));
  const { webhooks, next } = start();
  webhooks.perform(call(url), "7.1");
  expect(await next()).toMatchObject({
    data: { outcome: "timedOut", reason: expect.stringContaining("asks for 600 s of patience") },
  });
  expect(asked).toHaveLength(1);
});

test.each([
  { what: "a refusal", answer: status(404, "no such hook"), reason: "status 404" },
  {
    what: "a redirect, which is not followed",
    answer: status(302, "", { location: "http://127.0.0.1:1/" }),
    reason: "redirects are not followed",
  },
])("$what ends it at once as failed", async ({ answer, reason }) => {
  const { url, asked } = await serve(answer);
  const { webhooks, next } = start();
  webhooks.perform(call(url), "7.1");
  expect(await next()).toMatchObject({
    data: { outcome: "failed", attempts: 1, reason: expect.stringContaining(reason) },
  });
  expect(asked).toHaveLength(1);
});

test("one that cannot be reached has failed after its attempts", async () => {
  const { webhooks, next } = start();
  webhooks.perform(call("http://127.0.0.1:1/", { attempts: 1 }), "7.1");
  const { data } = await next();
  expect(data).toMatchObject({ outcome: "failed", attempts: 1, body: "" });
  expect(data.reason).not.toBe("");
});

test("the deadline is over all attempts, also over one that gets no answer", async () => {
  const { url } = await serve(() => undefined);
  const { webhooks, next } = start();
  webhooks.perform(call(url, { timeoutMs: 300 }), "7.1");
  expect(await next()).toMatchObject({ data: { outcome: "timedOut" } });
});

test("of the answer the beginning is told, and the rest is not read", async () => {
  const { url } = await serve((response) => {
    const more = (): void => {
      while (response.write("x".repeat(65_536)));
      response.once("drain", more);
    };
    more();
  });
  const { webhooks, next } = start();
  webhooks.perform(call(url), "7.1");
  const { data } = await next();
  expect(data.outcome).toBe("done");
  expect(data.body).toBe("x".repeat(4_096));
});

test("an answer that breaks off counts by its status", async () => {
  const { url, asked } = await serve((response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("thank", () => response.destroy());
  });
  const { webhooks, next } = start();
  webhooks.perform(call(url), "7.1");
  expect(await next()).toMatchObject({ data: { outcome: "done", status: 200, attempts: 1 } });
  expect(asked).toHaveLength(1);
});

test("a secret is sent, and told nowhere", async () => {
  process.env["HALON_TEST_TOKEN"] = "Bearer hunter2";
  const { url, asked } = await serve(status(400, "you said Bearer hunter2"));
  const { webhooks, next } = start();
  webhooks.perform(
    call(url, { headers: { authorization: { $secret: "env:HALON_TEST_TOKEN" } } }),
    "7.1",
  );
  const { data } = await next();
  delete process.env["HALON_TEST_TOKEN"];
  expect(asked[0]?.headers.authorization).toBe("Bearer hunter2");
  expect(JSON.stringify(data)).not.toContain("hunter2");
});

test("a secret that cannot be read is a refusal that names the reference", () => {
  const { webhooks } = start();
  const headers = { authorization: { $secret: "env:HALON_TEST_NOWHERE" } };
  expect(() => webhooks.perform(call("http://127.0.0.1:1/", { headers }), "7.1")).toThrow(
    expect.objectContaining({
      code: "HAL_CONFIG_INVALID",
      message: expect.stringContaining("env:HALON_TEST_NOWHERE"),
    }),
  );
});

test("the next process goes on with it, with the same key", async () => {
  const { url, asked, arrivals } = await serve(() => undefined, status(200));
  const first = start();
  first.webhooks.perform(call(url), "7.1");
  await new Promise((resolve) => arrivals.once("asked", resolve));
  await first.webhooks.close();
  const second = start();
  second.webhooks.perform(call(url), "7.1");
  expect(await second.next()).toMatchObject({ data: { outcome: "done", attempts: 2 } });
  expect(asked.map(({ headers }) => headers["idempotency-key"])).toEqual(["c1.7.1", "c1.7.1"]);
  second.webhooks.perform(call(url), "7.1");
  expect(await second.next()).toMatchObject({ data: { outcome: "done", attempts: 2 } });
  expect(asked).toHaveLength(2);
});

test("one that an earlier process tried is unknown when its secret is gone", async () => {
  await appendFile(join(dataDir, "calls.jsonl"), '{"instance":"7.1","until":9e15,"tried":1}\n');
  const { webhooks, next } = start();
  const headers = { authorization: { $secret: "env:HALON_TEST_NOWHERE" } };
  webhooks.perform(call("http://127.0.0.1:1/", { headers }), "7.1");
  expect(await next()).toMatchObject({
    data: { outcome: "unknown", reason: expect.stringContaining("env:HALON_TEST_NOWHERE") },
  });
});

test.each([
  { what: "its deadline is over", line: '{"instance":"7.1","until":1,"tried":1}' },
  { what: "its attempts are used up", line: '{"instance":"7.1","until":9e15,"tried":5}' },
])("one of an earlier process is unknown when $what", async ({ line }) => {
  await appendFile(join(dataDir, "calls.jsonl"), `${line}\n`);
  const { url, asked } = await serve(status(200));
  const { webhooks, next } = start();
  webhooks.perform(call(url), "7.1");
  expect(await next()).toMatchObject({ data: { outcome: "unknown" } });
  expect(asked).toEqual([]);
});
