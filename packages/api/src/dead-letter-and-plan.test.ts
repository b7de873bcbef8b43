import { createHash } from "node:crypto";
import { ClusterSpec } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import { createClient } from "./client.ts";
import { listen } from "./listen.ts";
import type { ApiPorts } from "./ports.ts";
import { memoryPorts } from "./testing/memory-ports.ts";

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function open(overrides: Partial<ApiPorts> = {}) {
  const memory = memoryPorts(overrides);
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    ports: memory.ports,
    allowedHosts: [],
  });
  const endpoints = [`127.0.0.1:${listener.port}`];
  const client = createClient({ endpoints, timeoutMs: 300 });
  ends.push(async () => {
    await client.close();
    await listener.close(0);
  });
  const post = async (path: string, body: unknown) => {
    const response = await fetch(`http://${endpoints[0]}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as { errorCode?: string } };
  };
  return { ...memory, client, post };
}

const text = "export default 1;\n";
const hash = createHash("sha256").update(text).digest("hex");
const rules = [{ name: "new", blob: hash, rules: ["one"], events: [] }];
const spec = ClusterSpec.parse({ types: [], deployments: [], rules, prune: false });
const noLeader = { identity: () => ({ ...memoryPorts().ports.identity(), leaderEndpoint: null }) };

test("a plan takes along the code that the cluster lacks, and keeps none of it", async () => {
  const asked: (readonly string[])[] = [];
  const { client, blobs, submitted } = await open({
    plan: async ({ code }) => {
      asked.push([...code.keys()]);
      return memoryPorts().ports.plan({ spec, code }, 1);
    },
  });
  const plan = await client.plan(spec, new Map([[hash, text]]), 1_000);
  expect(plan.changes).toMatchObject([
    { action: "add", name: "new", rules: [{ action: "add", rule: "one" }] },
  ]);
  expect(plan.actions?.commands.items).toHaveLength(1);
  expect([asked, blobs.size, submitted]).toEqual([[[hash]], 0, []]);
});

test("code that is missing, or is not what its name says, is refused", async () => {
  const { post } = await open();
  expect((await post("/v1/plan", { spec })).body.errorCode).toBe("HAL_BLOB_MISSING");
  const code = { [hash]: `${text}// other` };
  expect((await post("/v1/plan", { spec, code })).body.errorCode).toBe("HAL_BLOB_MISMATCH");
});

test("without a leader there is no plan, and a difference all the same", async () => {
  const { post, client } = await open(noLeader);
  const code = { [hash]: text };
  expect(await post("/v1/plan", { spec, code })).toMatchObject({
    status: 503,
    body: { errorCode: "HAL_NO_LEADER" },
  });
  expect(await client.diff(spec)).toMatchObject({ changes: [{ name: "new" }] });
});

test.each([
  [{}, 400],
  [{ all: true, type: "Told" }, 400],
  [{ events: [] }, 400],
  [{ type: "Other" }, 404],
  [{ events: ["e-1"] }, 202],
])("dead letters to retry are named in one way: %j is answered with %i", async (body, status) => {
  const { post, submitted } = await open();
  const answered = await post("/v1/dead-letters/retry", body);
  expect([answered.status === 200 ? 202 : answered.status, submitted.length]).toEqual([
    status,
    status === 202 ? 1 : 0,
  ]);
});
