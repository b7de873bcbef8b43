import type { ClusterConfig, Peer } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { type HelloReply, joinStep } from "./bootstrap-join.ts";
import { nodeId, setupOf } from "./testing.ts";

const cluster = "11111111-1111-4111-8111-111111111111";
const other = "22222222-2222-4222-8222-222222222222";
const post = { method: "POST", address: "10.0.0.1:8528" } as const;
const get = { ...post, method: "GET" } as const;
const me = setupOf(2);

function peer(number: number, changes: Partial<Peer> = {}): Peer {
  const address = `10.0.0.${number}:8528`;
  return { id: nodeId(number), name: `node-${number}`, address, role: "tracking", ...changes };
}

function configWith(...peers: readonly Peer[]): ClusterConfig {
  return {
    clusterId: cluster,
    agencySize: 3,
    store: "embedded",
    complete: false,
    peers: [...peers],
  };
}

function answer(status: number, body: unknown, location?: string): HelloReply {
  return { type: "answer", status, body, location };
}

const both = configWith(peer(1), peer(2));

test("the configuration is gone on with when it lists this node", () => {
  expect(joinStep(me, post, answer(200, both))).toEqual({ type: "config", config: both });
});

const waits: readonly (readonly [string, HelloReply, string])[] = [
  ["a closed connection", { type: "none", reason: "nobody listens there" }, "nobody listens"],
  ["503", answer(503, { errorMessage: "not yet" }), "503: not yet"],
  ["404", answer(404, undefined), "404"],
];
test.each(waits)("after %s it is asked again", (_, reply, why) => {
  const again = { type: "again", why: expect.stringContaining(why) };
  expect(joinStep(me, post, reply)).toEqual(again);
  expect(joinStep(me, get, reply)).toEqual(again);
});

test("a cluster that does not know this node any more is said hello to again", () => {
  expect(joinStep(me, get, answer(200, configWith(peer(1))))).toEqual({ type: "unknown" });
});

test("an answer from before what this node has on disk is not taken", () => {
  const setup = setupOf(2, { clusterId: cluster, peers: [peer(1), peer(2), peer(3)] });
  expect(joinStep(setup, get, answer(200, both))).toMatchObject({ type: "again" });
});

describe("redirects", () => {
  test("to host and port are followed", () => {
    const reply = answer(307, undefined, "http://[::1]:8538/hello");
    expect(joinStep(me, post, reply)).toEqual({ type: "ask", address: "[::1]:8538" });
  });

  test.each([
    ["https://10.0.0.2:8528/hello"],
    ["file:///etc/passwd"],
    ["/hello"],
    ["http://10.0.0.2/hello"],
    ["http://10.0.0.2:8528/hello?x=1"],
    ["http://user:secret@10.0.0.2:8528/hello"],
    ["http://10.0.0.2:8528/other"],
    ["http://10.0.0.2:99999/hello"],
    [undefined],
  ])("to %s end the start", (location) => {
    const step = joinStep(me, post, answer(307, undefined, location));
    expect(step).toMatchObject({ type: "end", code: "HAL_FAILED" });
  });
});

const ends: readonly (readonly [string, HelloReply, string, readonly string[]])[] = [
  [
    "a refusal, in its own words",
    answer(409, { error: true, errorCode: "HAL_CONFLICT", errorMessage: "the name is taken" }),
    "HAL_CONFLICT",
    ["the name is taken"],
  ],
  ["200 of something else", answer(200, "<html>"), "HAL_FAILED", ["10.0.0.1:8528", "--join"]],
  ["200 of another API", answer(200, { ok: true }), "HAL_FAILED", ["10.0.0.1:8528"]],
  ["a permanent redirect", answer(301, undefined, "http://a:1/hello"), "HAL_FAILED", ["301"]],
  ["an endless answer", { type: "tooLarge" }, "HAL_FAILED", ["1 MiB"]],
  [
    "a code that is none",
    answer(418, { errorCode: "toString", errorMessage: "tea" }),
    "HAL_FAILED",
    ["tea"],
  ],
  ["a configuration without this node", answer(200, configWith(peer(1))), "HAL_FAILED", ["out"]],
  [
    "a configuration with two nodes of one name",
    answer(200, configWith(peer(1), peer(2), peer(3, { name: "node-1" }))),
    "HAL_FAILED",
    ["node-1"],
  ],
  [
    "a configuration that has this node elsewhere",
    answer(200, configWith(peer(1), peer(2, { address: "10.0.0.9:1" }))),
    "HAL_FAILED",
    ["10.0.0.9:1"],
  ],
  [
    "one that is complete too early",
    answer(200, { ...both, complete: true }),
    "HAL_FAILED",
    ["2 tracking nodes instead of 3"],
  ],
];
test.each(ends)("%s ends the start", (_, reply, code, named) => {
  const step = joinStep(me, post, reply);
  expect(step).toMatchObject({ type: "end", code });
  for (const part of named) expect(step).toHaveProperty("message", expect.stringContaining(part));
});

test("another cluster under the master's address is refused, naming both ids", () => {
  const setup = setupOf(2, { clusterId: other });
  for (const asked of [post, get]) {
    const step = joinStep(setup, asked, answer(200, both));
    expect(step).toMatchObject({ type: "end", code: "HAL_CONFLICT" });
    for (const id of [cluster, other])
      expect(step).toHaveProperty("message", expect.stringContaining(id));
  }
});
