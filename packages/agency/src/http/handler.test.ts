import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { afterEach, expect, test } from "vitest";
import type { AgencyAnswer } from "../core/request.ts";
import type { MemberStatus } from "../member.ts";
import { bodyBytesMax } from "./body.ts";
import { ids, memoryMember, serve } from "./testing.ts";

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function start(overrides: Partial<MemberStatus> = {}) {
  const memory = memoryMember(overrides);
  const server = await serve(memory.member);
  ends.push(server.close);
  const send = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(server.url + path, { redirect: "manual", ...init });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: jsonOf(text) };
  };
  const post = (
    name: string,
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ) => send(`/_api/agency/${name}`, { method: "POST", body, headers });
  return { ...memory, ...server, send, post };
}

function jsonOf(text: string): unknown {
  return text === "" ? undefined : JSON.parse(text);
}

test("a write and a read go through, whatever type the body claims to be", async () => {
  const { post, send } = await start();
  const form = { "Content-Type": "application/x-www-form-urlencoded" };
  const written = await post("write", '[[{"/a/b":{"op":"set","new":9007199254740993}}]]', form);
  expect([written.status, written.text]).toEqual([200, '{"results":[1]}']);
  const read = await send("/_db/_system/_api/agency/read", { method: "POST", body: '[["/a"]]' });
  expect(read.text).toBe('[{"a":{"b":9007199254740993}}]');
  expect(read.headers.get("content-type")).toBe("application/json");
  expect(read.headers.get("content-length")).toBe(String(read.text.length));
});

test.each([
  ["GET", "/_api/agency/write", 405, "method not supported"],
  ["DELETE", "/_api/agency/config", 405, "method not supported"],
  ["GET", "/_api/agency", 404, "unknown path"],
  ["POST", "/_api/agency/write/more", 404, "unknown path"],
  ["GET", "/_api/agency_priv/inform", 404, "unknown path"],
  ["GET", "/_db/_system/_api/agency/nothing", 404, "unknown path"],
  ["PUT", "/v1/agency/members", 405, "method not supported"],
])("%s %s is refused with %i in the shape of the framework", async (method, path, code, says) => {
  const { send } = await start();
  const { status, body } = await send(path, { method });
  expect(status).toBe(code);
  expect(body).toEqual({
    error: true,
    code,
    errorNum: code,
    errorMessage: expect.stringContaining(says),
  });
});

test.each(["/", "/_api/agencyx/read", "/_db/other/_api/agency/read", "/v1/agencies", "/v1/status"])(
  "%s is not the agency's",
  async (path) => {
    const { url } = await start();
    expect((await fetch(url + path)).status).toBe(599);
  },
);

test.each([
  ["write", "[]", 400, { message: expect.stringMatching(/^Empty request/) }],
  ["write", '{"/a":1}', 400, { message: expect.any(String) }],
  ["write", '[[{"a":1}]', 400, { message: expect.any(String) }],
  ["transact", "", 400, { message: expect.any(String) }],
  ["read", "[1]", 418, []],
  ["inquire", "{}", 500, { message: expect.any(String) }],
  ["write", new Uint8Array([91, 91, 123, 34, 0xff, 34, 58, 49, 125, 93, 93]), 400, notUtf8()],
  ["read", `${"[".repeat(10_000)}${"]".repeat(10_000)}`, 400, { message: expect.any(String) }],
] as const)("%s of %s is answered %i, and nothing is asked of the leader", async (...row) => {
  const [name, body, status, expected] = row;
  // A follower answers a malformed body rather than sending it on.
  const { post, asked } = await start({ leaderId: ids.peer, role: "follower" });
  const answer = await post(name, body);
  expect([answer.status, answer.body]).toEqual([status, expected]);
  expect(asked).toEqual([]);
});

function notUtf8() {
  return { message: "The body is not UTF-8." };
}

test.each<[string, AgencyAnswer, number, unknown]>([
  ["no leader", { type: "noLeader" }, 503, { message: "No leader" }],
  ["too much waits", { type: "busy" }, 503, { message: expect.any(String) }],
  ["leadership was lost", { type: "lostLeadership" }, 503, frame(503)],
  ["no commit in time", { type: "notCommitted" }, 408, frame(408)],
  ["forbidden", { type: "written", status: 403, results: [0, 5] }, 403, { results: [0, 5] }],
  ["a precondition", { type: "written", status: 412, results: [0] }, 412, { results: [0] }],
])("when %s, the answer says so", async (_, answer, status, body) => {
  const { post, forced } = await start();
  forced.answer = answer;
  const got = await post("write", '[[{"/a":1}]]');
  expect([got.status, got.body]).toEqual([status, body]);
  expect(got.headers.get("retry-after")).toBe(answer.type === "busy" ? "1" : null);
});

function frame(code: number) {
  return { code, error: true, errorNum: code, errorMessage: expect.any(String) };
}

test("a redirect names the address that the leader gave, never the Host, and keeps the query", async () => {
  const { post, send, forced } = await start();
  forced.answer = { type: "notLeader", leaderId: ids.peer };
  const read = await post("read", '[["/"]]');
  expect([read.status, read.text]).toEqual([307, ""]);
  expect(read.headers.get("location")).toBe("http://127.0.0.1:8541/_api/agency/read");
  const poll = await send("/_db/_system/_api/agency/poll?index=3&timeout=1");
  expect(poll.headers.get("location")).toBe(
    "http://127.0.0.1:8541/_api/agency/poll?index=3&timeout=1",
  );
});

test("a leader whose address is not known is no leader", async () => {
  const { post, forced } = await start();
  forced.answer = { type: "notLeader", leaderId: "AGNT-unknown" };
  const { status, body } = await post("read", '[["/"]]');
  expect([status, body]).toEqual([503, { message: "No leader" }]);
});

test.each([
  [undefined, "waitForCommitted"],
  ["waitForCommitted", "waitForCommitted"],
  ["waitForSequenced", "waitForSequenced"],
  ["waitforcommitted", "waitForSequenced"],
])("the mode %s means %s", async (given, mode) => {
  const { post, asked } = await start();
  await post(
    "write",
    '[[{"/a":1}]]',
    given === undefined ? {} : { "x-arangodb-agency-mode": given },
  );
  expect(asked).toMatchObject([{ type: "write", mode }]);
});

test("who waits for nothing learns nothing", async () => {
  const { post, forced } = await start();
  forced.answer = { type: "written", status: 412, results: [0] };
  const { status, text } = await post("write", '[[{"/a":1}]]', {
    "X-ArangoDB-Agency-Mode": "noWait",
  });
  expect([status, text]).toEqual([200, "{}"]);
});

test("a poll waits as long as it says, at most ten minutes, in parts", async () => {
  const { send, asked } = await start();
  await send("/_api/agency/poll?index=4&timeout=2.5");
  expect(asked).toMatchObject([{ type: "poll", index: 4 }]);
  expect((await send("/_api/agency/poll?index=-1")).status).toBe(400);
  expect((await send("/_api/agency/poll?timeout=soon")).status).toBe(400);
});

test("config shows times in seconds, and of itself no delay", async () => {
  const { send } = await start();
  const { body } = await send("/_api/agency/config");
  expect(body).toMatchObject({
    term: 3,
    leaderId: ids.self,
    lastAcked: {
      [ids.self]: { lastAckedTime: 0, lastAckedIndex: 7 },
      [ids.peer]: { lastAckedTime: 0.012, lastAckedIndex: 6, lastAppend: 0.08 },
    },
    configuration: {
      pool: { [ids.peer]: "tcp://127.0.0.1:8541" },
      active: [ids.self, ids.peer],
      endpoint: "tcp://127.0.0.1:8531",
      "agency size": 3,
      "min ping": 0.3,
      "max ping": 0.6,
      supervision: false,
    },
  });
  expect(
    (body as Record<string, Record<string, object>>)["lastAcked"]?.[ids.self],
  ).not.toHaveProperty("lastAppend");
});

test("config of a member without a leader has an empty leaderId and no lastAcked", async () => {
  const { send } = await start({ leaderId: null, lastAcked: null, configuration: null });
  const { status, body } = await send("/_api/agency/config");
  expect([status, body]).toMatchObject([200, { leaderId: "", configuration: { active: [] } }]);
  expect(body).not.toHaveProperty("lastAcked");
});

test("state and stores show the tree, the log and hidden members", async () => {
  const { post, send } = await start();
  await post("write", '[[{"/.hidden":1,"/a":{"op":"observe","url":"http://127.0.0.1:1/x"}}]]');
  expect((await send("/_api/agency/state")).body).toEqual({
    index: 1,
    term: 3,
    agency: { ".hidden": 1 },
    log: [
      {
        _key: "00000000000000000001",
        term: 3,
        request: { "/a": 1 },
        clientId: "c",
        timestamp: "2023-11-14 22:13:20 UTC",
        epoch_millis: 1_700_000_000_000,
      },
    ],
  });
  expect((await send("/_api/agency/stores")).body).toMatchObject({
    read_db: [{ ".hidden": 1 }, {}, [{ "http://127.0.0.1:1/x": "/a" }], expect.any(Array)],
  });
  expect((await post("store", "1")).body).toEqual({ ".hidden": 1 });
  expect((await post("store", "-1")).status).toBe(400);
});

test.each(["/_api/agency/state", "/v1/agency/members"])(
  "%s goes to the leader when asked to",
  async (path) => {
    const { send } = await start({ leaderId: ids.peer, role: "follower" });
    expect((await send(path)).status).toBe(200);
    const { status, headers } = await send(`${path}?redirectToLeader=true`);
    expect(status).toBe(307);
    expect(headers.get("location")).toBe(`http://127.0.0.1:8541${path}?redirectToLeader=true`);
  },
);

test("a stranger's gossip is refused, with what to do", async () => {
  const { send, forced } = await start();
  const gossip = { id: ids.peer, endpoint: "127.0.0.1:1", size: 3, pool: {} };
  const init = { method: "POST", body: JSON.stringify(gossip) };
  expect((await send("/_api/agency_priv/gossip", init)).body).toEqual({ ...gossip, cluster: null });
  forced.gossip = { type: "refused", message: "Add it.", removed: false };
  const { status, body } = await send("/_api/agency_priv/gossip", init);
  expect([status, body]).toEqual([403, { ...frame(403), errorMessage: "Add it.", removed: false }]);
  const bad = await send("/_api/agency_priv/gossip", { method: "POST", body: '{"id":1}' });
  expect([bad.status, bad.body]).toMatchObject([
    400,
    { errorMessage: expect.stringContaining("id") },
  ]);
});

test("members are named by id or address, and changed one at a time", async () => {
  const { send, asked } = await start();
  const change = (body: unknown, type = "application/json") =>
    send("/v1/agency/members", {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": type },
    });
  expect((await change({ add: "127.0.0.1:9" })).body).toEqual({ id: ids.peer });
  expect((await change({ remove: "127.0.0.1:8541" })).body).toEqual({ id: ids.peer });
  expect((await change({ promote: ids.peer })).body).toEqual({ id: ids.peer });
  expect((await change({ remove: "ghost" })).body).toMatchObject({ errorCode: "HAL_NOT_FOUND" });
  expect((await change({ remove: "a", promote: "b" })).status).toBe(400);
  // A form of another site, from a browser that sends no Origin.
  expect((await change({ remove: ids.peer }, "text/plain")).status).toBe(400);
  expect(asked).toEqual([
    { type: "changeMembers", change: { remove: [ids.peer] } },
    { type: "changeMembers", change: { promote: [ids.peer] } },
  ]);
});

test.each([true, false])(
  "a body of 200 MB is refused, its length declared: %s",
  async (declared) => {
    const { port } = await start();
    const outgoing = httpRequest({
      port,
      path: "/_api/agency/write",
      method: "POST",
      headers: declared ? { "Content-Length": 200_000_000 } : { "Transfer-Encoding": "chunked" },
    });
    outgoing.on("error", () => undefined);
    if (declared) outgoing.flushHeaders();
    else outgoing.write(Buffer.alloc(bodyBytesMax + 1, " "));
    const [response] = await once(outgoing, "response");
    expect(response.statusCode).toBe(413);
    response.resume();
    await once(outgoing, "close");
  },
);

test("a client that goes away within its body leaves nothing behind", async () => {
  const { port, post, asked, faults } = await start();
  const outgoing = httpRequest({
    port,
    path: "/_api/agency/write",
    method: "POST",
    headers: { "Content-Length": 100 },
  });
  outgoing.on("error", () => undefined);
  outgoing.write('[[{"/a":1');
  await once(outgoing, "socket");
  outgoing.destroy();
  expect((await post("write", '[[{"/b":1}]]')).status).toBe(200);
  expect([asked.length, faults]).toEqual([1, []]);
});

test("a bug is answered 500 without its text, and told to the log", async () => {
  const { member, ...rest } = memoryMember();
  const server = await serve({ ...member, request: () => Promise.reject(new Error("secret")) });
  ends.push(server.close);
  const response = await fetch(`${server.url}/_api/agency/read`, { method: "POST", body: "[]" });
  expect([response.status, await response.text()]).toEqual([
    500,
    expect.not.stringMatching(/secret/),
  ]);
  expect([server.faults.length, rest.asked.length]).toEqual([1, 0]);
});
