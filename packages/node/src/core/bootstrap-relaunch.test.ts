import type { Peer } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { freshSetup, relaunched, smallestAddress } from "./bootstrap-relaunch.ts";
import type { Setup, SetupOptions } from "./bootstrap-setup.ts";
import { nodeId, setupOf } from "./testing.ts";

const cluster = "11111111-1111-4111-8111-111111111111";
const around = { id: nodeId(1), hostname: "Db_1.example", now: 7 };
const nothing: SetupOptions = {
  name: undefined,
  listen: undefined,
  advertise: undefined,
  join: [],
  agencySize: undefined,
  local: undefined,
  store: undefined,
};

function peer(number: number): Peer {
  const address = `10.0.0.${number}:8528`;
  return { id: nodeId(number), name: `node-${number}`, address, role: "tracking" };
}

const begun = { clusterId: cluster, agencySize: 3, store: "embedded" } as const;
const complete = setupOf(1, {
  ...begun,
  phase: "complete",
  role: "tracking",
  peers: [peer(1), peer(2), peer(3)],
});
const waiting = setupOf(1, { ...begun, peers: [peer(1)] });
const listed = { ...waiting, join: ["db-2:1", "db-1:1"] };
const joined = setupOf(1, { ...begun, peers: [peer(1), peer(2)] });
const joiner = setupOf(2, { join: ["10.0.0.1:8528"] });

test("what is not given at a first start has its default", () => {
  expect(freshSetup(nothing, around)).toMatchObject({
    type: "setup",
    setup: {
      id: nodeId(1),
      name: "db-1",
      listen: { host: "127.0.0.1", port: 8528 },
      mode: "cluster",
      phase: "joining",
      clusterId: null,
      incarnation: 7,
    },
  });
});

test.each([
  [{ agencySize: 1 }, "single"],
  [{ agencySize: 1, join: ["a:1"] }, "cluster"],
  [{}, "cluster"],
] as const)("the mode of %j is %s", (changes, mode) => {
  expect(freshSetup({ ...nothing, ...changes }, around)).toMatchObject({ setup: { mode } });
});

test("a listener on all addresses must say how it is reached", () => {
  const listen = { host: "0.0.0.0", port: 1 };
  expect(freshSetup({ ...nothing, listen }, around)).toMatchObject({ code: "HAL_USAGE" });
  expect(freshSetup({ ...nothing, listen, advertise: "a:1" }, around).type).toBe("setup");
});

test.each([[complete], [waiting], [joined], [joiner]])(
  "a relaunch without options is as it was",
  (setup) => {
    expect(relaunched(setup, nothing, "setup.json")).toEqual({ type: "setup", setup });
  },
);

const agreeing: readonly (readonly [string, Setup, Partial<SetupOptions>])[] = [
  ["the same name", complete, { name: "node-1" }],
  ["the same address", complete, { listen: { host: "10.0.0.1", port: 8528 } }],
  ["any port", complete, { listen: { host: "10.0.0.1", port: 0 } }],
  ["its address as advertised", complete, { advertise: "10.0.0.1:8528" }],
  ["the same size", complete, { agencySize: 3 }],
  ["the list of a master, in which it has another name", listed, { join: ["db-2:1", "db-1:1"] }],
  ["joins of a complete cluster", complete, { join: ["10.9.9.9:1"] }],
];
test.each(agreeing)("%s is no contradiction", (_, setup, options) => {
  const verdict = relaunched(setup, { ...nothing, ...options }, "setup.json");
  expect(verdict).toEqual({ type: "setup", setup });
});

const contradicting: readonly (readonly [Setup, Partial<SetupOptions>, readonly string[]])[] = [
  [complete, { name: "web" }, ["--name", "web", "node-1"]],
  [complete, { listen: { host: "10.0.0.1", port: 1 } }, ["--listen", "10.0.0.1:1", ":8528"]],
  [complete, { listen: { host: "::1", port: 0 } }, ["--listen", "[::1]:8528", "10.0.0.1"]],
  [complete, { advertise: "a:1" }, ["--advertise", "a:1", "10.0.0.1:8528"]],
  [complete, { agencySize: 1 }, ["--agency-size", "says 1", "says 3"]],
  [joined, { agencySize: 1 }, ["--agency-size", "says 1", "says 3"]],
  [complete, { store: "etcd://a:1" }, ["--store", "etcd://a:1", "embedded"]],
  [complete, { local: 2 }, ["--local-node", "2"]],
  [waiting, { join: ["10.0.0.9:8528"] }, ["--join", "10.0.0.9:8528", "master"]],
];
test.each(contradicting)("refused with both values: %#", (setup, options, named) => {
  const verdict = relaunched(setup, { ...nothing, ...options }, "/d/setup.json");
  expect(verdict).toMatchObject({ type: "refused", code: "HAL_CONFLICT" });
  for (const part of [...named, "/d/setup.json", "--forget-setup"])
    expect(verdict).toHaveProperty("message", expect.stringContaining(part));
});

describe("while nobody has joined", () => {
  test("a master may be told to run alone", () => {
    const verdict = relaunched(waiting, { ...nothing, agencySize: 1 }, "setup.json");
    expect(verdict).toMatchObject({ setup: { agencySize: 1, mode: "single", clusterId: cluster } });
  });

  test("a joiner may be sent elsewhere", () => {
    const verdict = relaunched(joiner, { ...nothing, join: ["10.0.0.5:1"] }, "setup.json");
    expect(verdict).toMatchObject({ setup: { join: ["10.0.0.5:1"] } });
  });

  test("a master may be given the list that makes it one", () => {
    const join = ["10.0.0.2:8528", "10.0.0.1:8528"];
    expect(relaunched(waiting, { ...nothing, join }, "setup.json")).toMatchObject({
      setup: { join },
    });
  });
});

test("the smallest address is the same in every order", () => {
  const addresses = ["b:8528", "a:8538", "a:8528"];
  expect(smallestAddress(addresses)).toBe("a:8528");
  expect(smallestAddress([...addresses].reverse())).toBe("a:8528");
});
