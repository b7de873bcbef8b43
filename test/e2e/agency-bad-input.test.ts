import { once } from "node:events";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { connectLink, type Hello, linkPath } from "@halon/actor";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { configOf, halondPath, type Member, startAgency } from "../conformance/agency/members.ts";
import { cleanUp, host, run, temporaryDirectory } from "./cluster.ts";

let member: Member;
let count = 0;

beforeAll(async () => {
  [member] = (await startAgency(temporaryDirectory(), 1)) as [Member];
});

afterAll(cleanUp);

/** Whatever was sent, the member serves others. */
beforeEach(() => async () => {
  count++;
  expect(await post("write", JSON.stringify([[{ "/well": count }]]))).toMatchObject({
    status: 200,
  });
  expect(await post("read", '[["/well"]]')).toEqual({
    status: 200,
    text: `[{"well":${count}}]`,
  });
});

async function post(name: string, body: string | Uint8Array<ArrayBuffer>) {
  const response = await fetch(`${member.endpoint}/_api/agency/${name}`, { method: "POST", body });
  return { status: response.status, text: await response.text() };
}

async function indexNow(): Promise<number> {
  return (await configOf(member)).commitIndex;
}

const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
const bytes = (...parts: readonly (string | readonly number[])[]) =>
  new Uint8Array(
    Buffer.concat(
      parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from(part))),
    ),
  );

test.each<[string, string | Uint8Array<ArrayBuffer>]>([
  ["a value 10,000 levels deep", `[[{"/a":${deep(10_000)}}]]`],
  ["a body 1,000,000 levels deep", deep(1_000_000)],
  ["a body that only opens", "[".repeat(4_000_000)],
  ["a key of 1 MB", `[[{"/${"k".repeat(1_000_000)}":1}]]`],
  ["a client id of 1 MB", `[[{"/a":1},{},"${"k".repeat(1_000_000)}"]]`],
  ["a number beyond doubles", '[[{"/a":1e400}]]'],
  ["a number with a leading zero", '[[{"/a":01}]]'],
  ["no number", '[[{"/a":NaN}]]'],
  ["invalid UTF-8", bytes('[[{"/a":"', [0xc3, 0x28], '"}]]')],
  ["a surrogate as UTF-8", bytes('[[{"/a":"', [0xed, 0xa0, 0x80], '"}]]')],
  ["an overlong slash", bytes('[[{"', [0xc0, 0xaf], 'a":1}]]')],
  ["half a surrogate pair", '[[{"/a":"\\ud800"}]]'],
  ["a byte order mark", bytes([0xef, 0xbb, 0xbf], '[[{"/a":1}]]')],
  ["UTF-16", new Uint8Array(Buffer.from('[[{"/a":1}]]', "utf16le"))],
  ["a control character in a string", '[[{"/a":"\u0001"}]]'],
  ["a key twice", '[[{"/a":1,"/a":2}]]'],
  ["a good and a bad transaction", '[[{"/a":1}],[5]]'],
  ["something behind the end", '[[{"/a":1}]] []'],
  ["an empty batch", "[]"],
  ["nothing", ""],
  ["no JSON", "a=1&b=2"],
])("a write of %s is refused whole", async (_, body) => {
  const before = await indexNow();
  const { status, text } = await post("write", body);
  expect([status, JSON.parse(text)]).toEqual([400, { message: expect.any(String) }]);
  expect(text.length).toBeLessThan(2_000);
  expect(await indexNow()).toBe(before);
});

test("a read of a million paths is refused", async () => {
  const paths = `[[${Array.from({ length: 1_000_000 }, () => '"/a"').join(",")}]]`;
  expect((await post("read", paths)).status).toBe(400);
});

test.each(["__proto__", "constructor", "toString", "hasOwnProperty"])(
  "%s is a key like any other",
  async (key) => {
    const body = `[[{"/odd/${key}":{"op":"set","new":{"${key}":1}}}]]`;
    expect((await post("write", body)).status).toBe(200);
    const { text } = await post("read", `[["/odd/${key}"]]`);
    expect(text).toBe(`[{"odd":{"${key}":{"${key}":1}}}]`);
  },
);

test.each([true, false])(
  "a body of 200 MB is refused, its length declared: %s",
  async (declared) => {
    const { status, body } = await send(200_000_000, declared);
    expect([status, JSON.parse(body)]).toMatchObject([413, { error: true, code: 413 }]);
  },
);

test("a body that is compressed is refused", async () => {
  const response = await fetch(`${member.endpoint}/_api/agency/write`, {
    method: "POST",
    headers: { "Content-Encoding": "gzip" },
    body: "[]",
  });
  expect(response.status).toBe(400);
});

test("half a body changes nothing, whether its client goes away or only waits", async () => {
  const before = await indexNow();
  const half = 'Host: 127.0.0.1\r\nContent-Length: 100\r\n\r\n[[{"/half":1}';
  const gone = await raw(`POST /_api/agency/write HTTP/1.1\r\n${half}`);
  const waits = await raw(`POST /_api/agency/write HTTP/1.1\r\n${half}`);
  gone.destroy();
  // The one that waits is in nobody's way.
  expect((await post("read", '[["/half"]]')).text).toBe("[{}]");
  expect(await indexNow()).toBe(before);
  waits.destroy();
});

test("a body that comes byte by byte is taken when it is whole", async () => {
  const body = '[["/slow"]]';
  const socket = await raw(
    `POST /_api/agency/read HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  for (const character of body) {
    socket.write(character);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 200 [\s\S]*\[\{\}\]$/);
});

test("both a length and chunks are refused (request smuggling), and what is no HTTP", async () => {
  const both = await raw(
    "POST /_api/agency/write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  );
  expect(await answerOf(both)).toMatch(/^HTTP\/1\.1 400 /);
  expect(await answerOf(await raw("\0\x01\x02\r\n\r\n"))).toMatch(/^HTTP\/1\.1 400 /);
});

test.each([
  ["another Host", { host: "evil.example" }],
  ["another Origin", { origin: "https://evil.example" }],
  ["no Origin's name", { origin: "null" }],
])("a request with %s is refused", async (_, headers) => {
  const before = await indexNow();
  const status = await new Promise((resolve, reject) => {
    const outgoing = request(
      `${member.endpoint}/_api/agency/write`,
      { method: "POST", headers },
      (response) => resolve(response.resume().statusCode),
    );
    outgoing.on("error", reject);
    outgoing.end('[[{"/evil":1}]]');
  });
  expect(status).toBe(403);
  expect(await indexNow()).toBe(before);
});

test.each<[string, Partial<Hello>, RegExp]>([
  ["another cluster's id", { cluster: "another" }, /cluster/],
  ["another protocol", { protocol: 99 as 1 }, /protocol 99/],
  ["an id that is no member's", {}, /agnt-0{8}/i],
])("a peer with %s is refused, and told why", async (_, odd, why) => {
  const { cluster } = await configOf(member);
  const hello: Hello = {
    protocol: 1,
    cluster,
    node: "agnt-00000000-0000-4000-8000-000000000000",
    incarnation: 1,
    class: "raft",
    address: "127.0.0.1:1",
    ...odd,
  };
  const url = `${member.endpoint.replace("http", "ws")}${linkPath}`;
  await expect(connectLink({ url, hello })).rejects.toMatchObject({
    code: "HAL_LINK_REFUSED",
    message: expect.stringMatching(why),
  });
});

test("a peer that speaks no protocol at all is cut off", async () => {
  const ws = new WebSocket(`${member.endpoint.replace("http", "ws")}${linkPath}`);
  ws.on("error", () => {});
  await once(ws, "open");
  ws.send("garbage");
  await once(ws, "close", { signal: AbortSignal.timeout(10_000) });
});

test.each([
  ["something", "{}"],
  ["nothing", ""],
  ["too much", JSON.stringify({ id: "x".repeat(100_000) })],
])("gossip of %s is refused", async (_, body) => {
  const path = `${member.endpoint}/_api/agency_priv/gossip`;
  const response = await fetch(path, { method: "POST", body });
  expect([response.status, await response.json()]).toMatchObject([400, { error: true }]);
});

test("a gossip of a stranger does not change who belongs to a complete agency", async () => {
  const { configuration } = await configOf(member);
  const id = "AGNT-00000000-0000-4000-8000-000000000000";
  const response = await fetch(`${member.endpoint}/_api/agency_priv/gossip`, {
    method: "POST",
    body: JSON.stringify({ id, endpoint: "127.0.0.1:1", size: 1, pool: { [id]: "127.0.0.1:1" } }),
  });
  expect([response.status, await response.json()]).toMatchObject([403, { code: 403, error: true }]);
  expect((await configOf(member)).configuration.pool).toEqual(configuration.pool);
});

test.each([
  ["an even size", ["--agency-size", "2"], "1, 3, 5 or 7"],
  ["an election that cannot be", ["--election.min-ms", "700"], "--election.max-ms"],
  ["a join that is none", ["--join", "nobody"], "--join"],
  ["an unknown option", ["--agency-pool", "3"], "--agency-pool"],
])("%s is a usage error, and nothing is made", async (_, args, named) => {
  const dataDir = join(temporaryDirectory(), "never");
  const { code, stderr } = await run([halondPath, "agency", "--data-dir", dataDir, ...args]);
  expect([code, stderr]).toEqual([2, expect.stringContaining(named)]);
  expect(existsSync(dataDir)).toBe(false);
});

async function raw(text: string): Promise<Socket> {
  const { port } = new URL(member.endpoint);
  const socket = connect(Number(port), host);
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(text, "latin1");
  return socket;
}

/** All that comes before the member closes the connection. */
async function answerOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  if (!socket.closed) await once(socket, "close", { signal: AbortSignal.timeout(20_000) });
  return Buffer.concat(chunks).toString();
}

/** Sends so many bytes, of a declared length or in chunks. */
function send(
  total: number,
  declared: boolean,
): Promise<{ readonly status: number | undefined; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const headers = declared ? { "content-length": total } : {};
    const outgoing = request(`${member.endpoint}/_api/agency/write`, { method: "POST", headers });
    outgoing.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
      response.on("error", reject);
    });
    // The member stops reading and closes while the rest is on its way.
    outgoing.on("error", (error) => setTimeout(reject, 1_000, error));
    const chunk = Buffer.alloc(1024 * 1024, " ");
    let left = total;
    const write = (): void => {
      while (left > 0 && !outgoing.destroyed) {
        const part = chunk.subarray(0, Math.min(chunk.length, left));
        left -= part.length;
        if (!outgoing.write(part)) {
          outgoing.once("drain", write);
          return;
        }
      }
      outgoing.end();
    };
    write();
  });
}
