import { describe, expect, test } from "vitest";
import { contradictionIn, type KnownCluster, type PlacementWishes } from "./contradiction.ts";
import { type ClusterSpec, DeploymentSpec, ServiceManifest } from "./manifest.ts";

const hash = "0".repeat(64);

function deployment(name: string, given: Partial<DeploymentSpec> = {}): DeploymentSpec {
  const standard = { name, type: name, on: "any-node", onNodeLoss: "move", config: {} };
  return DeploymentSpec.parse({ ...standard, configHash: hash, ...given });
}

function type(name: string, requires: readonly string[]): ServiceManifest {
  return ServiceManifest.parse({
    name,
    serviceName: name,
    version: "1.0.0",
    kind: "worker",
    blob: hash,
    files: [],
    requires,
    configurationSchema: {},
    schemaHash: hash,
    resources: {},
    restart: {},
    startTimeoutMs: 1_000,
    stopTimeoutMs: 1_000,
    checkEveryMs: 1_000,
    checkTimeoutMs: 1_000,
    memoryMb: 64,
  });
}

function spec(deployments: readonly DeploymentSpec[], given: Partial<ClusterSpec> = {}) {
  const types = [...new Set(deployments.map((each) => each.type))].map((name) => type(name, []));
  return { types, deployments: [...deployments], prune: true, ...given };
}

const empty: KnownCluster = { deployments: [], requires: new Map(), hasFence: false };

const contradictions: readonly [string, readonly [string, Partial<DeploymentSpec>][], string][] = [
  ["naming oneself", [["a", { after: ["a"] }]], "deployment a names itself in after"],
  [
    "with and apart from the same",
    [
      ["a", { with: ["b"], apart: ["b"] }],
      ["b", {}],
    ],
    "deployment a names b in with and in apart",
  ],
  [
    "with one that stays apart",
    [
      ["a", { with: ["b"] }],
      ["b", { apart: ["a"] }],
    ],
    "deployment a names b in with, and b names a in apart",
  ],
  [
    "a circle in after",
    [
      ["a", { after: ["c"] }],
      ["b", { after: ["a"] }],
      ["c", { after: ["b"] }],
      ["d", { after: ["a"] }],
    ],
    "deployments wait for one another: a, c, b, a",
  ],
  [
    "a circle in with",
    [
      ["a", { with: ["b"] }],
      ["b", { with: ["a"] }],
    ],
    "deployments go with one another: a, b, a",
  ],
  [
    "exclusive and several replicas",
    [["a", { exclusive: "cluster", replicas: 2 }]],
    "deployment a is exclusive and has 2 replicas",
  ],
  [
    "exclusive and on every node",
    [["a", { exclusive: "cluster", on: "every-node" }]],
    "deployment a is exclusive and wanted on every-node",
  ],
  [
    "a fence of what is not exclusive",
    [["a", { fence: "lease" }]],
    "a has fence and is not exclusive",
  ],
  [
    "a number beside every node",
    [["a", { on: "every-node", replicas: 2 }]],
    "a is wanted on every-node and has replicas",
  ],
  ["the name of a part of Halon", [["halon-a", { type: "a" }]], "deployment halon-a has a name"],
];

describe("a cluster file is refused, with the names, for", () => {
  test.each(contradictions)("%s", (_, entries, message) => {
    const deployments = entries.map(([name, given]) => deployment(name, given));
    expect(contradictionIn(spec(deployments), undefined)).toContain(message);
    expect(contradictionIn(spec(deployments), empty)).toContain(message);
  });

  test("fence by a command when there is none, in the file or else in the cluster", () => {
    const file = spec([deployment("a", { exclusive: "cluster", fence: "command" })]);
    const message = "no nodes.fence";
    expect(contradictionIn(file, undefined)).toBeUndefined();
    expect(contradictionIn(file, empty)).toContain(message);
    expect(contradictionIn(file, { ...empty, hasFence: true })).toBeUndefined();
    const nodes = {
      recoverEveryMs: 1_000,
      recoverAttempts: 1,
      breakerNodes: 3,
      breakerShare: 0.3,
      breakerWindowMs: 1_000,
    };
    expect(contradictionIn({ ...file, nodes }, { ...empty, hasFence: true })).toContain(message);
    const fence = { command: ["off"], timeoutMs: 1_000 };
    expect(contradictionIn({ ...file, nodes: { ...nodes, fence } }, empty)).toBeUndefined();
  });

  test("a name that neither file nor cluster knows, which only a cluster can tell", () => {
    const file = spec([deployment("a", { after: ["db"] })]);
    expect(contradictionIn(file, undefined)).toBeUndefined();
    expect(contradictionIn(file, empty)).toContain("a names db in after, which neither");
    const known = { ...empty, deployments: [wishes("db")] };
    expect(contradictionIn({ ...file, prune: false }, known)).toBeUndefined();
    // What is pruned is gone.
    expect(contradictionIn(file, known)).toContain("a names db in after, which neither");
  });

  test("a type that neither file nor cluster knows, which only a cluster can tell", () => {
    const file = spec([deployment("a")], { types: [] });
    expect(contradictionIn(file, undefined)).toBeUndefined();
    expect(contradictionIn(file, empty)).toContain("deployment a names the type a, which");
    const known = { ...empty, requires: new Map([["a", []]]) };
    expect(contradictionIn(file, known)).toBeUndefined();
  });

  test("a type that requires an unknown one, itself, or one that requires it", () => {
    const file = (...types: ServiceManifest[]) => spec([], { types });
    expect(contradictionIn(file(type("a", ["b"])), empty)).toContain("type a requires the type b");
    expect(contradictionIn(file(type("a", ["b"])), undefined)).toBeUndefined();
    const known = { ...empty, requires: new Map([["b", ["a"]]]) };
    expect(contradictionIn(file(type("a", ["b"])), known)).toContain("a, b, a");
    expect(contradictionIn(file(type("a", ["a"])), empty)).toContain("a, a");
  });

  test("waiting for what is required to wait for oneself", () => {
    const types = [type("a", []), type("b", ["a"])];
    const circle = [deployment("a", { after: ["b"] }), deployment("b")];
    expect(contradictionIn(spec(circle, { types }), empty)).toContain("a, b, a");
    const other = deployment("other", { type: "a" });
    expect(contradictionIn(spec([...circle, other], { types }), empty)).toBeUndefined();
  });
});

test("a chain of 10,000 services is no circle", () => {
  const chain = Array.from({ length: 10_000 }, (_, n) =>
    deployment(`s${n}`, n === 0 ? {} : { after: [`s${n - 1}`], with: [`s${n - 1}`] }),
  );
  expect(contradictionIn(spec(chain), empty)).toBeUndefined();
});

function wishes(name: string): PlacementWishes {
  return deployment(name);
}
