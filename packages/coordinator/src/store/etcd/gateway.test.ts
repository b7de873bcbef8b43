import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import { Gateway } from "./gateway.ts";
import { txnAnswer as anything, type Txn } from "./ops.ts";

const servers: Server[] = [];
const gateways: Gateway[] = [];
const nothing: Txn = { compare: [], success: [], failure: [] };

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const address = server.address();
  return `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`;
}

/** Answers each request with the next of `answers`, and with the last one from then on. */
function etcd(...answers: readonly object[]): RequestListener {
  let at = 0;
  return (_, response) => {
    response.end(JSON.stringify(answers[Math.min(at, answers.length - 1)]));
    at += 1;
  };
}

const header = (revision: number, cluster = "1") => ({
  header: { cluster_id: cluster, revision: String(revision) },
});

function gatewayTo(endpoints: readonly string[], restored: string[] = []): Gateway {
  const gateway: Gateway = new Gateway(endpoints, undefined, (reason) => {
    restored.push(reason);
    gateway.end(reason);
  });
  gateways.push(gateway);
  return gateway;
}

afterEach(() => {
  for (const gateway of gateways.splice(0)) gateway.end("the test is over");
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

test("an endpoint that is not etcd is refused with what it answered", async () => {
  const gateway = gatewayTo([await serve((_, response) => response.end("hello"))]);
  await expect(gateway.txn(nothing)).rejects.toMatchObject({
    kind: "refused",
    message: expect.stringContaining("hello"),
  });
});

test.each([
  ["503", 503, { code: 14, message: "etcdserver: no leader" }],
  [
    "503 of 3.4",
    503,
    { error: "etcdserver: no leader", code: 14, message: "etcdserver: no leader" },
  ],
  ["a stream's answer", 200, { error: { grpc_code: 14, message: "etcdserver: no leader" } }],
])("an endpoint without a leader gives way to the next: %s", async (_, status, answer) => {
  const alone = await serve((_, response) => {
    response.statusCode = status;
    response.end(JSON.stringify(answer));
  });
  const gateway = gatewayTo([alone, await serve(etcd(header(5)))]);
  await expect(gateway.txn(nothing)).rejects.toMatchObject({ kind: "unavailable" });
  expect(await gateway.txn(nothing)).toMatchObject({ revision: 5 });
});

test("what is under way at an endpoint is given up when another call turns away from it", async () => {
  const silent = await serve(() => undefined);
  const gateway = gatewayTo([silent, await serve(etcd(header(5)))]);
  const waiting = gateway.watch([], () => undefined, new AbortController().signal);
  const refused = expect(waiting).rejects.toMatchObject({ kind: "unavailable" });
  await expect(gateway.call("kv/txn", nothing, anything, 20)).rejects.toMatchObject({
    kind: "unavailable",
  });
  await refused;
});

test.each([
  { name: "a revision that goes back", second: header(4), why: /revision 4, and was at 5/ },
  { name: "another etcd cluster", second: header(6, "2"), why: /etcd cluster 2 answers/ },
])("$name ends the gateway, and every later call says so", async ({ second, why }) => {
  const restored: string[] = [];
  const gateway = gatewayTo([await serve(etcd(header(5), second, header(9)))], restored);
  await gateway.txn(nothing);
  for (let call = 0; call < 2; call++) {
    await expect(gateway.txn(nothing)).rejects.toMatchObject({
      kind: "ended",
      message: expect.stringMatching(why),
    });
  }
  expect(restored).toHaveLength(1);
});

test("answers that overtake each other are no step back", async () => {
  let answerFirst = (): void => undefined;
  let count = 0;
  const endpoint = await serve((_, response) => {
    count += 1;
    const revision = count + 4;
    const answer = (): void => void response.end(JSON.stringify(header(revision)));
    if (count === 1) answerFirst = answer;
    else answer();
  });
  const gateway = gatewayTo([endpoint]);
  const first = gateway.txn(nothing);
  await expect.poll(() => count).toBe(1);
  expect(await gateway.txn(nothing)).toMatchObject({ revision: 6 });
  answerFirst();
  expect(await first).toMatchObject({ revision: 5 });
  expect(await gateway.txn(nothing)).toMatchObject({ revision: 7 });
});
