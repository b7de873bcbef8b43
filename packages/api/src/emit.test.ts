import { HalonError } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import { type Listener, listen } from "./listen.ts";
import type { ApiPorts } from "./ports.ts";
import { memoryPorts } from "./testing/memory-ports.ts";

const open: Listener[] = [];

afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close(0);
});

/** A node whose processor takes events of type Sampled. */
async function start(overrides: Partial<ApiPorts> = {}) {
  const memory = memoryPorts(overrides);
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    ports: memory.ports,
    allowedHosts: [],
    onFault: () => undefined,
  });
  open.push(listener);
  const endpoint = `127.0.0.1:${listener.port}`;
  const emit = async (body: unknown, headers: Readonly<Record<string, string>> = {}) => {
    const answer = await fetch(`http://${endpoint}/v1/events`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json", ...headers },
    });
    const retryAfter = answer.headers.get("retry-after");
    return { status: answer.status, retryAfter, body: (await answer.json()) as unknown };
  };
  return { ...memory, endpoint, emit };
}

const sampled = (n: number) => ({ type: "Sampled", data: { n } });

test("an event that rule files take on nodes is taken by the node that it came to, whoever leads", async () => {
  const identity = memoryPorts().ports.identity();
  const leader = await start();
  const follower = await start({
    identity: () => ({ ...identity, name: "node-2", leaderEndpoint: leader.endpoint }),
  });
  expect(await follower.emit({ ...sampled(1), id: "e1" })).toMatchObject({
    status: 200,
    body: { id: "e1", processedBy: "node-2" },
  });
  expect(await follower.emit([sampled(2), sampled(3)])).toMatchObject({
    body: { processed: 2, processedBy: "node-2" },
  });
  expect(follower.processed).toEqual([sampled(1), sampled(2), sampled(3)]);
  // All others go where they always went.
  expect((await follower.emit({ type: "Mine" })).status).toBe(200);
  expect(leader.submitted).toMatchObject([{ type: "Mine" }]);
  expect(leader.processed).toEqual([]);
});

test("a full queue is a refusal that says when to try again", async () => {
  const { emit } = await start({
    process: () => {
      throw new HalonError("HAL_OVERLOADED", "10000 events wait; try again in a second");
    },
  });
  expect(await emit(sampled(1))).toMatchObject({
    status: 503,
    retryAfter: "1",
    body: { errorCode: "HAL_OVERLOADED" },
  });
});

test.each([
  { what: "with one of the log", body: [sampled(1), { type: "Mine" }], status: 400 },
  { what: "of the log alone", body: [{ type: "Mine" }], status: 400 },
  { what: "with something that is no event", body: [sampled(1), 7], status: 400 },
  { what: "with an event of a wrong form", body: [{ ...sampled(1), more: 1 }], status: 400 },
  { what: "without an event", body: [], status: 400 },
])("a list $what is refused as a whole", async ({ body, status }) => {
  const { emit, processed, submitted } = await start();
  expect((await emit(body)).status).toBe(status);
  expect([processed, submitted]).toEqual([[], []]);
});

test("an event that was sent on, as its node did not know the type yet, is not counted on another node", async () => {
  const { emit, processed } = await start();
  expect(await emit(sampled(1), { "Halon-Forwarded": "node-9" })).toMatchObject({
    status: 503,
    body: { errorMessage: expect.stringContaining("node-9 does not know yet") },
  });
  expect(processed).toEqual([]);
});
