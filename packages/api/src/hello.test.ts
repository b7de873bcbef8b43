import { HalonError, type HelloRequest } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import { type Listener, listen } from "./listen.ts";
import type { ApiPorts } from "./ports.ts";
import { memoryPorts } from "./testing/memory-ports.ts";

const open: Listener[] = [];

afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close(0);
});

const request: HelloRequest = {
  id: "11111111-1111-4111-8111-111111111111",
  name: "node-2",
  address: "[::1]:8538",
  dataDir: "[::1]:/data",
  protocol: 1,
  clusterId: null,
  agency: true,
  agencySize: null,
  store: null,
};

async function start(hello?: ApiPorts["hello"]) {
  const { ports } = memoryPorts(hello === undefined ? {} : { hello });
  const listener = await listen({ host: "127.0.0.1", port: 0, ports, allowedHosts: [] });
  open.push(listener);
  const url = `http://127.0.0.1:${listener.port}`;
  return {
    url,
    post: (body: unknown) =>
      fetch(`${url}/hello`, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json" },
        redirect: "manual",
      }),
  };
}

test("GET /id tells the id, the name and the role apart", async () => {
  const { url } = await start();
  expect(await (await fetch(`${url}/id`)).json()).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    name: "node-1",
    clusterId: "c1",
    role: "tracking",
    version: "0.1.0",
    leaderEndpoint: "127.0.0.1:1",
  });
});

test("a hello is answered with the configuration, and GET asks for it without a sender", async () => {
  const heard: unknown[] = [];
  const config = await memoryPorts().ports.hello(undefined);
  const { url, post } = await start((given) => {
    heard.push(given);
    return Promise.resolve(config);
  });
  const answers = [await post(request), await fetch(`${url}/hello`)];
  for (const answer of answers) {
    expect([answer.status, await answer.json()]).toEqual([
      200,
      config.type === "config" ? config.config : undefined,
    ]);
  }
  expect(heard).toEqual([request, undefined]);
});

test("who is not to be asked sends on to the same path elsewhere", async () => {
  const { post } = await start(() => Promise.resolve({ type: "redirect", address: "db-1:8528" }));
  const { status, headers } = await post(request);
  expect([status, headers.get("location")]).toEqual([307, "http://db-1:8528/hello"]);
});

test.each([
  ["HAL_CONFLICT", 409],
  ["HAL_NO_LEADER", 503],
] as const)("a refusal with %s is answered with %i and its words", async (code, status) => {
  const { post } = await start(() => Promise.reject(new HalonError(code, "because")));
  const answer = await post(request);
  expect(answer.status).toBe(status);
  expect(await answer.json()).toMatchObject({ errorCode: code, errorMessage: "because" });
});

const wrong: readonly (readonly [string, object])[] = [
  ["an unknown field", { secret: "x" }],
  ["an id that is none", { id: "node-2" }],
  ["a name that is none", { name: "Node 2" }],
  ["an address with a path", { address: "db-1:8528/id" }],
  ["an address with a user", { address: "me@db-1:8528" }],
  ["an address without a port", { address: "db-1" }],
  ["an address with port 0", { address: "db-1:0" }],
  ["an address with a port above 65535", { address: "db-1:70000" }],
  ["an agency of two", { agencySize: 2 }],
  ["a cluster that is none", { clusterId: "mine" }],
  ["no protocol", { protocol: undefined }],
  ["64 KiB of a path", { dataDir: "x".repeat(65_536) }],
];
test.each(wrong)("a hello with %s is refused before anybody hears it", async (_, changes) => {
  let isHeard = false;
  const { post } = await start(() => {
    isHeard = true;
    return Promise.reject(new Error("heard"));
  });
  const { status } = await post({ ...request, ...changes });
  expect([400, 413]).toContain(status);
  expect(isHeard).toBe(false);
});
