import { createStage, type Stage, type StageOptions } from "@halon/sim";
import { describe, expect, test } from "vitest";

const never = Number.POSITIVE_INFINITY;
const all = (tracking: number, satellites = 0): readonly string[] =>
  Array.from({ length: tracking + satellites }, (_, slot) => `node-${slot + 1}`);

/** Nodes that do not know each other; `node-1` is the master where nothing else is said. */
function beginning(
  bootstrap: NonNullable<StageOptions["bootstrap"]> = {},
  options: Omit<StageOptions, "bootstrap"> = {},
): Stage {
  return createStage({ ...options, bootstrap });
}

/** The same, when all of them are part of the cluster. */
function begun(
  bootstrap: NonNullable<StageOptions["bootstrap"]> = {},
  options: Omit<StageOptions, "bootstrap"> = {},
): Stage {
  const stage = beginning(bootstrap, options);
  const { tracking = 3, satellites = 0 } = options;
  stage.until(() => all(tracking, satellites).every((name) => stage.isUp(name)));
  stage.ready();
  return stage;
}

const isKept = (stage: Stage, node: string): boolean => stage.setup(node)?.phase === "complete";
const idOf = (stage: Stage, node: string): string | undefined => stage.setup(node)?.id;

describe("a cluster begins", () => {
  test("with a master and those that join it, as soon as as many as wanted are there", () => {
    const stage = begun();
    expect(stage.clusterIds()).toHaveLength(1);
    for (const name of all(3)) {
      expect(stage.peers(name)).toHaveLength(3);
      expect(stage.setup(name)?.role).toBe("tracking");
    }
    expect(stage.graph.list("Node", { role: "tracking" })).toHaveLength(3);
  });

  test("by itself where the agency is of one", () => {
    const stage = begun({}, { tracking: 1 });
    expect(stage.peers("node-1")).toEqual(["node-1 tracking"]);
    expect(stage.told()).toEqual([]);
  });

  test("and nothing starts while one node never comes", () => {
    const stage = beginning({ startMs: { "node-3": never } });
    stage.until(() => stage.peers("node-1").length === 2);
    stage.always(() => stage.begins("node-1") && stage.begins("node-2"), 60_000);
    expect(stage.leader()).toBeNull();
    expect(stage.members()).toEqual([]);
  });

  test("when the last of them comes late, and waits for no other", () => {
    const stage = begun({ startMs: { "node-3": 20_000 } });
    expect(stage.told().filter(({ complete }) => complete)[0]?.to).toBe("node-3");
  });

  test("though joiners are there before their master", () => {
    const stage = begun({ startMs: { "node-1": 5_000 } });
    expect(stage.peers("node-2")).toContain("node-1 tracking");
    expect(stage.clusterIds()).toHaveLength(1);
  });

  test("with those as tracking nodes that come first, and the others as satellites", () => {
    const startMs = { "node-2": 3_000 };
    const stage = begun({ startMs }, { satellites: 1 });
    const { peers = [] } = stage.setup("node-1") ?? {};
    expect(peers.map(({ name, role }) => `${name} ${role}`)).not.toContain("node-2 tracking");
    expect(stage.node("node-2")?.role).toBe("satellite");
    expect(stage.node("node-4")?.role).toBe("tracking");
  });

  test("with the first numbers as tracking nodes where one machine runs all", () => {
    const startMs = { "node-2": 3_000 };
    const stage = begun({ startMs, byNumber: true }, { satellites: 1 });
    expect(stage.node("node-2")?.role).toBe("tracking");
    expect(stage.node("node-4")?.role).toBe("satellite");
  });
});

describe("one list that all are given", () => {
  const list = all(3);
  const join = Object.fromEntries(list.map((name) => [name, list]));

  test.each(list)("makes the smallest address the master, also when %s starts first", (first) => {
    const startMs = Object.fromEntries(list.map((name) => [name, name === first ? 0 : 2_500]));
    const stage = begun({ join, startMs });
    expect(stage.setup("node-2")?.peers[0]?.name).toBe("node-1");
    expect(stage.clusterIds()).toHaveLength(1);
  });

  test("makes nobody the master while the smallest address does not answer", () => {
    const stage = beginning({ join, startMs: { "node-1": never } });
    stage.always(() => stage.clusterIds().length === 0, 20_000);
  });

  test("lets one that lost its disk begin no second cluster beside the one that runs", () => {
    const stage = begun({ join });
    stage.crashNode("node-1");
    stage.run(3_000);
    stage.loseData("node-1", "all");
    stage.startNode("node-1");
    stage.until(() => stage.refusal("node-1") !== null);
    expect(stage.refusal("node-1")).toContain("belongs to another id");
    expect(stage.clusterIds()).toHaveLength(1);
  });
});

describe("a joiner", () => {
  test("that names another joiner is sent to the master", () => {
    const stage = begun({ join: { "node-3": ["node-2"] }, startMs: { "node-3": 1_500 } });
    expect(stage.told().every(({ by }) => by === "node-1")).toBe(true);
  });

  test("whose hello comes twice is in the cluster once", () => {
    const stage = begun({ duplicate: 1_000 });
    const hellos = stage.told().filter(({ to }) => to === "node-2");
    expect(hellos.length).toBeGreaterThan(1);
    expect(stage.peers("node-1").filter((peer) => peer.startsWith("node-2"))).toHaveLength(1);
  });

  test("whose messages are lost, come twice and overtake each other is in the cluster once", () => {
    const stage = begun({ loss: 300, duplicate: 300, straggle: 300 }, { satellites: 2 });
    for (const name of all(3, 2))
      expect(new Set(stage.peers(name)).size).toBe(stage.peers(name).length);
  });

  test("that does not hear its answer is listed, and says hello again", () => {
    const stage = beginning();
    const join = stage.cut("node-2", "inbound");
    stage.until(() => stage.peers("node-1").includes("node-2"));
    stage.run(4_000);
    expect(stage.setup("node-2")?.clusterId).toBeNull();
    join();
    stage.until(() => isKept(stage, "node-2"));
    expect(stage.told().filter(({ to }) => to === "node-2").length).toBeGreaterThan(1);
  });

  test("that dies after its hello comes back under the same id", () => {
    const stage = beginning();
    stage.cut("node-2", "inbound");
    stage.until(() => stage.peers("node-1").includes("node-2"));
    const id = idOf(stage, "node-2");
    const known = stage.setup("node-1")?.peers.find(({ name }) => name === "node-2")?.id;
    stage.crashNode("node-2", 500);
    stage.run(1_000);
    expect([idOf(stage, "node-2"), known]).toEqual([id, id]);
  });

  test("that dies before the cluster is complete, and comes back after that, asks who is there", () => {
    const stage = beginning({ startMs: { "node-3": 3_000 } });
    stage.until(() => stage.peers("node-2").length === 2);
    stage.crashNode("node-2", 10_000);
    stage.until(() => isKept(stage, "node-1"));
    stage.until(() => isKept(stage, "node-2"));
    expect(stage.setup("node-2")?.role).toBe("tracking");
  });

  test("whose master is gone hears from another node that the cluster is complete", () => {
    const stage = beginning({ startMs: { "node-3": 3_000 } });
    stage.until(() => stage.peers("node-2").length === 2);
    // What it knows are the master and itself, so its list has to name the third.
    stage.crashNode("node-2");
    stage.until(() => isKept(stage, "node-3") && isKept(stage, "node-1"));
    stage.crashNode("node-1");
    stage.startNode("node-2", { join: ["node-1:7411", "node-3:7411"] });
    stage.until(() => isKept(stage, "node-2"));
    stage.until(() => stage.leader() !== null);
  });

  test("that comes when the cluster is complete is taken in by the leader, as a satellite", () => {
    const stage = beginning({ startMs: { "node-4": 10_000 } }, { satellites: 1 });
    stage.until(() => stage.isUp("node-4"));
    stage.ready();
    expect(stage.setup("node-4")?.role).toBe("satellite");
    expect(stage.told().at(-1)).toMatchObject({ by: stage.leader(), to: "node-4" });
    expect(stage.peers("node-1")).toHaveLength(3);
  });

  test("that comes late waits while nobody leads", () => {
    const stage = beginning({ startMs: { "node-4": 10_000 } }, { satellites: 1 });
    stage.until(() => stage.leader() !== null);
    stage.crashNode("node-2");
    stage.crashNode("node-3");
    stage.run(20_000);
    expect(stage.begins("node-4")).toBe(true);
    stage.startNode("node-2");
    stage.until(() => stage.isUp("node-4"));
  });

  test("that knows only a node that is gone waits until a person names another", () => {
    const join = { "node-4": ["node-2"] };
    const stage = beginning({ join, startMs: { "node-4": 10_000 } }, { satellites: 1 });
    stage.until(() => stage.leader() !== null);
    stage.crashNode("node-2");
    stage.run(30_000);
    expect(stage.begins("node-4")).toBe(true);
    stage.crashNode("node-4");
    stage.startNode("node-4", { join: ["node-3:7411"] });
    stage.until(() => stage.node("node-4")?.state === "up");
  });

  test("that names itself alone ends, and says so", () => {
    const stage = beginning({ join: { "node-2": ["node-2"] } });
    stage.until(() => stage.refusal("node-2") !== null);
    expect(stage.refusal("node-2")).toContain("is this node itself");
  });
});

describe("a master that dies in the middle", () => {
  test("goes on with the id and the nodes that it had", () => {
    const stage = beginning({ startMs: { "node-3": 6_000 } });
    stage.until(() => stage.peers("node-2").length === 2);
    const [id] = stage.clusterIds();
    stage.crashNode("node-1", 2_000);
    stage.run(3_000);
    expect(stage.peers("node-1")).toEqual(["node-1", "node-2"]);
    stage.until(() => all(3).every((name) => isKept(stage, name)));
    expect(stage.clusterIds()).toEqual([id]);
  });

  test("while it writes has told nobody what it may have lost", () => {
    const stage = beginning({ saveSlowness: 5_000 });
    stage.until(() => stage.setup("node-1") !== null);
    for (let crashes = 0; crashes < 6; crashes += 1) {
      stage.run(700 + 300 * crashes);
      if (stage.begins("node-1")) stage.crashNode("node-1", 100);
    }
    stage.until(() => all(3).every((name) => isKept(stage, name)), 60_000);
    expect(stage.clusterIds()).toHaveLength(1);
  });

  test("and loses its disk makes another cluster, which its joiners refuse", () => {
    const stage = beginning({ startMs: { "node-3": never } });
    stage.until(() => stage.peers("node-2").length === 2);
    const before = stage.setup("node-2")?.clusterId;
    stage.crashNode("node-1");
    stage.loseData("node-1", "all");
    stage.startNode("node-1");
    stage.until(() => stage.refusal("node-2") !== null);
    expect(stage.refusal("node-2")).toContain(`${before}`);
    expect(stage.setup("node-1")?.clusterId).not.toBe(before);
  });
});

describe("a relaunch", () => {
  const identity = (stage: Stage, name: string) => {
    const { id, role, clusterId, peers } = stage.setup(name) ?? {};
    return { id, role, clusterId, peers };
  };

  test("of all at once gives the same cluster, and what was deployed", () => {
    const stage = begun({}, { satellites: 1, services: { web: {} } });
    stage.deploy("web");
    stage.until(() => stage.runs("web"));
    const before = all(3, 1).map((name) => identity(stage, name));
    const epoch = stage.epoch();
    for (const name of all(3, 1)) stage.crashNode(name, 1_000);
    stage.until(() => all(3, 1).every((name) => stage.isUp(name)));
    stage.ready();
    stage.until(() => stage.runs("web"));
    expect(all(3, 1).map((name) => identity(stage, name))).toEqual(before);
    expect(stage.epoch()).toBeGreaterThan(epoch);
  });

  test("of one after another loses nobody, and each has a later incarnation", () => {
    const stage = begun({}, { satellites: 1 });
    for (const name of all(3, 1)) {
      const before = stage.node(name)?.incarnation ?? 0;
      stage.crashNode(name, 300);
      stage.until(() => (stage.node(name)?.incarnation ?? 0) > before);
      stage.ready();
    }
    expect(stage.fired("node-lost")).toEqual([]);
  });

  test("needs nobody else", () => {
    const stage = begun();
    for (const name of all(3)) stage.crashNode(name);
    stage.startNode("node-2");
    stage.run(2_000);
    expect(stage.isUp("node-2")).toBe(true);
    expect(stage.leader()).toBeNull();
    stage.startNode("node-3");
    stage.until(() => stage.leader() !== null);
  });

  test("while a clock has jumped back has a later incarnation all the same", () => {
    const stage = begun();
    const before = stage.node("node-3")?.incarnation ?? 0;
    stage.jumpWall("node-3", -3_600_000);
    stage.crashNode("node-3", 300);
    stage.until(() => stage.node("node-3")?.incarnation === before + 1);
  });

  test("at another address is refused, and goes on at its own", () => {
    const stage = begun({}, { satellites: 1 });
    stage.crashNode("node-4");
    stage.run(1_000);
    stage.startNode("node-4", { listen: { host: "node-9", port: 7411 } });
    expect(stage.refusal("node-4")).toContain("--listen says node-9:7411");
    expect(stage.isUp("node-4")).toBe(false);
    stage.startNode("node-4");
    stage.until(() => stage.node("node-4")?.state === "up");
  });

  test("with another agency size is refused", () => {
    const stage = begun();
    stage.crashNode("node-1");
    stage.startNode("node-1", { agencySize: 5 });
    expect(stage.refusal("node-1")).toContain("--agency-size says 5");
  });

  test("joins nobody: the list of a complete node counts no more", () => {
    const stage = begun();
    stage.crashNode("node-2");
    stage.startNode("node-2", { join: ["node-9:7411"] });
    stage.until(() => stage.node("node-2")?.state === "up");
  });

  test("without its setup stops before what the log holds", () => {
    const stage = begun();
    stage.crashNode("node-2");
    stage.loseData("node-2", "setup");
    stage.startNode("node-2");
    expect(stage.refusal("node-2")).toContain("has data and setup.json is missing");
    expect(stage.setup("node-2")).toBeNull();
  });

  test("without its disk is refused under its old name", () => {
    const stage = begun({}, { satellites: 1 });
    stage.crashNode("node-4");
    stage.run(1_000);
    stage.loseData("node-4", "all");
    stage.startNode("node-4");
    stage.until(() => stage.refusal("node-4") !== null);
    expect(stage.refusal("node-4")).toContain("Start this node with another --name");
  });
});
