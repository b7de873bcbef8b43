import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import { type AgencyClient, createAgencyClient } from "./client.ts";
import { memoryMember, serve } from "./http/testing.ts";

const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Nothing listens on the discard port of a test machine. */
const nobody = "127.0.0.1:9";

function clientOf(endpoints: readonly string[], timeoutMs = 5_000): AgencyClient {
  const client = createAgencyClient({ endpoints, timeoutMs });
  ends.push(client.close);
  return client;
}

/** A member's routes with something in front of them: it may answer itself, or let the member. */
async function start(
  before: (request: IncomingMessage, response: ServerResponse) => boolean = () => false,
) {
  const memory = memoryMember();
  const real = await serve(memory.member);
  const seen: string[] = [];
  const front = await serve((request, response) => {
    seen.push(request.url ?? "");
    if (!before(request, response)) {
      response.writeHead(307, { Location: `${real.url}${request.url}` }).end();
    }
    return true;
  });
  ends.push(real.close, front.close);
  return { ...memory, real, front, seen };
}

/** Carries a request out at the member and then loses the answer. */
async function carryOut(request: IncomingMessage, url: string): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  await fetch(`${url}${request.url}`, { method: "POST", body: Buffer.concat(chunks).toString() });
  request.socket.destroy();
}

test("calls go past endpoints where nobody listens, and after redirects", async () => {
  const { front } = await start();
  const client = clientOf([nobody, front.url]);
  expect(await client.write([[{ "/a": 1 }], [{ "/b": 2 }, { "/a": 5 }]])).toEqual({
    status: 412,
    results: [1, 0],
  });
  expect(await client.read([["/a"], ["/b"]])).toEqual([{ a: 1 }, {}]);
  expect(await client.transact([["/a"]])).toMatchObject({ status: 200, text: '[{"a":1}]' });
  expect(await client.inquire(["ghost"])).toEqual([0]);
  expect(await client.poll(3, 10)).toEqual({ log: [] });
  expect(await client.config()).toMatchObject({ term: 3 });
});

test("at most five redirects are followed", async () => {
  let hops = 0;
  const { front } = await start((request, response) => {
    hops++;
    response.writeHead(307, { Location: `http://${request.headers.host}${request.url}` }).end();
    return true;
  });
  await expect(clientOf([front.url], 1_000).read([["/"]])).rejects.toMatchObject({
    code: "HAL_UNREACHABLE",
    message: expect.stringContaining("5 redirects"),
  });
  expect(hops).toBeGreaterThanOrEqual(6);
});

test("a write whose answer was lost is looked up, and not sent again", async () => {
  let isLost = false;
  const { front, real, asked } = await start((request) => {
    if (isLost || !request.url?.endsWith("/write")) return false;
    isLost = true;
    void carryOut(request, real.url);
    return true;
  });
  const written = await clientOf([front.url]).write([[{ "/n": { op: "increment" } }]]);
  expect(written).toEqual({ status: 200, results: [1] });
  expect(asked.map(({ type }) => type)).toEqual(["write", "inquire"]);
});

test("a write that was lost on its way is sent again, and takes place once", async () => {
  let isLost = false;
  const { front, real, asked } = await start((request) => {
    if (isLost || !request.url?.endsWith("/write")) return false;
    isLost = true;
    request.socket.destroy();
    return true;
  });
  const client = clientOf([front.url]);
  const increment = [{ "/n": { op: "increment" } }] as const;
  expect(await client.write([increment])).toEqual({ status: 200, results: [1] });
  expect(asked.map(({ type }) => type)).toEqual(["inquire", "write"]);
  expect(await clientOf([real.url]).read([["/n"]])).toEqual([{ n: 1 }]);
});

test.each([
  ["No leader", 503, '{"message":"No leader"}', ["write"]],
  ["a commit in doubt", 408, '{"code":408,"error":true}', ["inquire", "write"]],
  ["leadership lost", 503, '{"code":503,"error":true}', ["inquire", "write"]],
])(
  "after %s a write is tried again, looked up first where it may have taken place",
  async (...row) => {
    const [, status, text, expected] = row;
    let isFirst = true;
    const { front, asked } = await start((_, response) => {
      if (!isFirst) return false;
      isFirst = false;
      response.writeHead(status).end(text);
      return true;
    });
    expect(await clientOf([front.url]).write([[{ "/a": 1 }]])).toEqual({
      status: 200,
      results: [1],
    });
    expect(asked.map(({ type }) => type)).toEqual(expected);
  },
);

test("a transact whose answer was lost is an error and is not sent again", async () => {
  const { front, seen } = await start((request) => {
    request.socket.destroy();
    return true;
  });
  await expect(clientOf([front.url]).transact([["/a"]])).rejects.toMatchObject({
    code: "HAL_TIMEOUT",
    message: expect.stringContaining("not known"),
  });
  expect(seen).toHaveLength(1);
});

test("a leader that says nothing ends in a deadline", async () => {
  const { front } = await start(() => true);
  await expect(clientOf([front.url], 100).read([["/"]])).rejects.toMatchObject({
    code: "HAL_TIMEOUT",
  });
});

test("what is malformed is told with the agency's words", async () => {
  const { real } = await start();
  await expect(clientOf([real.url]).write([])).rejects.toMatchObject({
    code: "HAL_BAD_REQUEST",
    message: expect.stringContaining("Empty request"),
  });
});

test("an endpoint that is none, and an agency that is nowhere, are named", async () => {
  expect(() => createAgencyClient({ endpoints: ["ftp://a"], timeoutMs: 1 })).toThrow(/ftp:/);
  await expect(clientOf([nobody], 500).config()).rejects.toMatchObject({
    code: "HAL_UNREACHABLE",
    message: expect.stringContaining(nobody),
  });
});
