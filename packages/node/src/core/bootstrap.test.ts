import { type ClusterConfig, type HelloRequest, type Peer, peersMax } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { lateHello, masterConfig, missingNodes, takeHello } from "./bootstrap.ts";
import { nodeId, setupOf } from "./testing.ts";

const cluster = "11111111-1111-4111-8111-111111111111";
const other = "22222222-2222-4222-8222-222222222222";
const none: ReadonlyMap<string, string> = new Map();

function begun(size: 1 | 3 | 5 = 3): ClusterConfig {
  return masterConfig(setupOf(1, { agencySize: size }), cluster);
}

function helloOf(number: number, changes: Partial<HelloRequest> = {}): HelloRequest {
  return {
    id: nodeId(number),
    name: `node-${number}`,
    address: `10.0.0.${number}:8528`,
    dataDir: `10.0.0.${number}:/data`,
    protocol: 1,
    clusterId: null,
    agency: true,
    agencySize: null,
    store: null,
    ...changes,
  };
}

function taken(config: ClusterConfig, ...requests: readonly HelloRequest[]): ClusterConfig {
  return requests.reduce((before, request) => {
    const verdict = takeHello(before, none, request);
    if (verdict.type === "config") return verdict.config;
    throw new Error(verdict.message);
  }, config);
}

function rolesIn({ peers }: ClusterConfig): readonly Peer["role"][] {
  return peers.map(({ role }) => role);
}

test("a master of an agency of one is complete by itself", () => {
  expect(begun(1)).toMatchObject({ complete: true, agencySize: 1, store: "embedded" });
});

test("a master that starts again goes on with what it has", () => {
  const { peers } = taken(begun(), helloOf(2));
  const again = setupOf(1, { clusterId: other, agencySize: 3, store: "embedded", peers });
  expect(masterConfig(again, cluster)).toMatchObject({ clusterId: other, peers, complete: false });
});

test("the first nodes that may be are tracking nodes, and complete the configuration", () => {
  const two = taken(begun(), helloOf(2, { agency: false }), helloOf(3));
  expect([rolesIn(two), two.complete, missingNodes(two)]).toEqual([
    ["tracking", "satellite", "tracking"],
    false,
    1,
  ]);
  const three = taken(two, helloOf(4));
  expect([rolesIn(three).at(-1), three.complete]).toEqual(["tracking", true]);
});

test("a node that says hello again changes nothing, and is answered", () => {
  const config = taken(begun(), helloOf(2));
  expect(takeHello(config, none, helloOf(2))).toEqual({ type: "config", config });
  expect(taken(config, helloOf(2, { clusterId: cluster }))).toBe(config);
});

const refusals: readonly (readonly [string, Partial<HelloRequest>, readonly string[]])[] = [
  ["another protocol", { protocol: 2 }, ["version 2", "1"]],
  ["another cluster id", { clusterId: other }, [other, cluster, "--forget-setup"]],
  ["another agency size", { agencySize: 5 }, ["--agency-size 5", "3"]],
  ["another store", { store: "etcd://db:2379" }, ["etcd://db:2379", "embedded"]],
  ["the id of another address", { id: nodeId(2) }, [nodeId(2), "10.0.0.2:8528", "10.0.0.3:8528"]],
  [
    "the id of another name",
    { id: nodeId(2), address: "10.0.0.2:8528" },
    ["node-2", "node-3", "copy"],
  ],
  ["the name of another id", { name: "node-2" }, ["node-2", "10.0.0.2:8528", "--name"]],
  ["the address of another id", { address: "10.0.0.2:8528" }, ["node-2", "--advertise"]],
  ["the data directory of another id", { dataDir: "10.0.0.2:/data" }, ["/data", "--data-dir"]],
];

describe("refused, with both values and the remedy:", () => {
  const config = taken(begun(), helloOf(2));
  const dataDirs = new Map([[nodeId(2), "10.0.0.2:/data"]]);
  test.each(refusals)("%s", (_, changes, named) => {
    const verdict = takeHello(config, dataDirs, helloOf(3, changes));
    expect(verdict).toMatchObject({ type: "refused", code: "HAL_CONFLICT" });
    for (const part of named)
      expect(verdict).toHaveProperty("message", expect.stringContaining(part));
  });
});

test("the same agency size and store as the cluster's are no contradiction", () => {
  expect(taken(begun(), helloOf(2, { agencySize: 3, store: "embedded" })).peers).toHaveLength(2);
});

test("a configuration has a bound", () => {
  const peers = Array.from({ length: peersMax }, (_, at): Peer => {
    const { id, name, address } = helloOf(at + 1);
    return { id, name, address, role: "satellite" };
  });
  const verdict = takeHello({ ...begun(), peers }, none, helloOf(peersMax + 1));
  expect(verdict).toMatchObject({ type: "refused", code: "HAL_TOO_MANY" });
});

describe("a complete cluster", () => {
  const config = taken(begun(), helloOf(2), helloOf(3));

  test("gives its configuration to a node that it lists, and changes nothing for it", () => {
    expect(lateHello(config, helloOf(2))).toEqual({ type: "config", config });
  });

  test("takes a new node in as a satellite, and stays complete with the same tracking nodes", () => {
    const verdict = lateHello(config, helloOf(4));
    if (verdict.type === "refused") throw new Error(verdict.message);
    expect(rolesIn(verdict.config)).toEqual(["tracking", "tracking", "tracking", "satellite"]);
    expect(verdict.config.complete).toBe(true);
  });

  test("refuses a wiped node under its old name, and says what to do", () => {
    const wiped = helloOf(4, { name: "node-2", address: "10.0.0.2:8528" });
    expect(lateHello(config, wiped)).toMatchObject({
      code: "HAL_CONFLICT",
      message: expect.stringContaining("Start this node with another --name"),
    });
  });

  test.each([
    ["the name", { name: "node-9", address: "10.0.0.8:8528" }],
    ["the address", { name: "node-8", address: "10.0.0.9:8528" }],
  ])("refuses %s of a node that only the graph knows", (_, changes) => {
    const nodes = [{ name: "node-9", address: "10.0.0.9:8528" }];
    expect(lateHello(config, helloOf(4, changes), nodes)).toMatchObject({ type: "refused" });
  });
});
