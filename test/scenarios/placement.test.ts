import { createStage, type Stage, type StageOptions } from "@halon/sim";
import { describe, expect, test } from "vitest";

type Services = NonNullable<StageOptions["services"]>;

/** Three tracking nodes and some satellites, ready. */
function ready(services: Services, options: Omit<StageOptions, "services"> = {}): Stage {
  const stage = createStage({ satellites: 2, ...options, services });
  stage.ready();
  return stage;
}

/** All that can be deployed is, and runs wherever it is wanted. */
function running(services: Services, options: Omit<StageOptions, "services"> = {}): Stage {
  const stage = ready(services, options);
  stage.deploy(...Object.keys(services));
  stage.until(() => Object.keys(services).every((name) => isSettled(stage, name)));
  stage.run(1_000);
  return stage;
}

/** It runs where it is wanted, and nowhere else. */
function isSettled(stage: Stage, service: string): boolean {
  const places = stage.places(service);
  return places.length > 0 && stage.runsOn(service).join() === places.join();
}

const any = (replicas: number) => ({ type: "any", replicas }) as const;
const racks = {
  "node-1": ["rack=a"],
  "node-2": ["rack=a"],
  "node-3": ["rack=b"],
  "node-4": ["rack=b"],
  "node-5": ["rack=c"],
};
const isDown = (stage: Stage, node: string): boolean => stage.node(node)?.state === "down";

describe("where a service is wanted", () => {
  test("on every node: one on each, and one on each that joins later", () => {
    const stage = createStage({
      satellites: 2,
      services: { web: { placement: { type: "every" } } },
    });
    stage.until(() => stage.isUp("node-5"));
    stage.loseMachine("node-5", 10_000);
    stage.ready();
    stage.deploy("web");
    stage.until(() => stage.runsOn("web").length === 4, 8_000);
    stage.until(() => stage.runs("web", "node-5"), 15_000);
    expect(stage.lives("web")).toHaveLength(5);
  });

  test("on every node: what is lost with one is wanted there still, and moves nowhere", () => {
    const stage = running({ web: { placement: { type: "every" } } });
    stage.loseMachine("node-4", 5_000);
    stage.until(() => isDown(stage, "node-4"), 3_000);
    stage.run(2_000);
    expect(stage.places("web")).toHaveLength(5);
    expect(stage.lives("web")).toHaveLength(5);
    stage.until(() => stage.runs("web", "node-4"), 8_000);
  });

  test("with a label: on each node that has it, and on no other", () => {
    const placement = { type: "label", label: "rack=b", replicas: 5 } as const;
    const stage = running({ web: { placement } }, { labels: racks });
    expect(stage.runsOn("web")).toEqual(["node-3", "node-4"]);
  });

  test("with a label that nobody has it waits; it starts when a node comes that has it", () => {
    const stage = ready({ web: { placement: { type: "label", label: "disk=ssd" } } });
    stage.deploy("web");
    stage.run(5_000);
    expect(stage.places("web")).toEqual([]);
    stage.relabel("node-5", { disk: "ssd" });
    stage.crashNode("node-5", 200);
    stage.until(() => stage.runs("web", "node-5"), 5_000);
  });

  test("when its node comes back without the label, it goes to one that has it", () => {
    const labels = { "node-4": ["disk=ssd"] };
    const stage = running({ web: { placement: { type: "label", label: "disk=ssd" } } }, { labels });
    stage.relabel("node-5", { disk: "ssd" });
    stage.crashNode("node-5", 200);
    stage.run(3_000);
    stage.relabel("node-4", {});
    stage.crashNode("node-4", 200);
    stage.until(() => stage.places("web").join() === "node-5", 5_000);
    stage.until(() => isSettled(stage, "web"), 5_000);
    expect(stage.processes("web")).toHaveLength(1);
  });

  test("on one node: nowhere else, however long that one is lost", () => {
    const stage = running({ web: { placement: { type: "node", node: "node-4" } } });
    stage.loseMachine("node-4", 40_000);
    stage.run(30_000);
    expect(stage.places("web")).toEqual(["node-4"]);
    expect(stage.lives("web")).toHaveLength(1);
    stage.until(() => stage.runs("web", "node-4"), 20_000);
  });

  test("so many copies: each on a node of its own", () => {
    const stage = running({ web: { placement: any(4) } });
    expect(new Set(stage.runsOn("web")).size).toBe(4);
  });

  test("more copies than nodes: one on each, and the rest when there are more", () => {
    const stage = createStage({ satellites: 1, services: { web: { placement: any(4) } } });
    stage.until(() => stage.isUp("node-4"));
    stage.loseMachine("node-4", 12_000);
    stage.ready();
    stage.deploy("web");
    stage.until(() => stage.runsOn("web").length === 3, 8_000);
    stage.until(() => stage.runs("web", "node-4"), 20_000);
    expect(stage.lives("web")).toHaveLength(4);
  });
});

describe("which of the nodes", () => {
  test("copies are spread over the values of a label", () => {
    const stage = running({ web: { placement: any(3), spread: "rack" } }, { labels: racks });
    const used = stage.runsOn("web").map((node) => stage.node(node)?.labels["rack"]);
    expect(used.sort()).toEqual(["a", "b", "c"]);
  });

  test("when a copy's node is lost, it goes where the fewest share the value", () => {
    const stage = running({ web: { placement: any(3), spread: "rack" } }, { labels: racks });
    const lost = stage.runsOn("web").find((node) => node === "node-3" || node === "node-4") ?? "";
    stage.loseMachine(lost);
    stage.until(() => isSettled(stage, "web") && !stage.places("web").includes(lost), 8_000);
    expect(stage.places("web")).toContain(lost === "node-3" ? "node-4" : "node-3");
    expect(stage.events("ServiceMoved")).toHaveLength(1);
  });

  test("a preferred node first, then the next that is preferred", () => {
    const stage = running({ web: { prefer: ["node-5", "node-2"] } });
    expect(stage.runsOn("web")).toEqual(["node-5"]);
    stage.loseMachine("node-5");
    stage.until(() => stage.runs("web", "node-2"), 8_000);
  });

  test("it does not go back to the preferred node when that is there again", () => {
    const stage = running({ web: { prefer: ["node-5"] } });
    stage.loseMachine("node-5", 5_000);
    stage.until(() => stage.runs("web") && !stage.runs("web", "node-5"), 5_000);
    const places = stage.places("web");
    stage.run(15_000);
    expect(stage.places("web")).toEqual(places);
    expect(stage.lives("web")).toHaveLength(2);
  });

  test("further services go where fewer run, and nothing moves to make it even", () => {
    const stage = ready({ a: {}, b: {}, c: {}, d: {}, e: {}, f: {} });
    stage.deploy("a", "b", "c", "d", "e", "f");
    stage.until(() => ["a", "b", "c", "d", "e", "f"].every((name) => isSettled(stage, name)));
    const places = ["a", "b", "c", "d", "e", "f"].flatMap((name) => stage.places(name));
    expect(new Set(places).size).toBe(5);
    stage.loseMachine("node-5", 4_000);
    stage.until(() => isDown(stage, "node-5"), 3_000);
    stage.until(() => !isDown(stage, "node-5"), 10_000);
    stage.run(3_000);
    expect(stage.events("ServiceMoved")).toHaveLength(
      places.filter((one) => one === "node-5").length,
    );
  });
});

describe("beside others and apart from them", () => {
  test("a service that goes with another is where that is, and follows it when it moves", () => {
    const stage = running({ web: { prefer: ["node-4"] }, log: { with: ["web"] } });
    expect(stage.runsOn("log")).toEqual(["node-4"]);
    stage.loseMachine("node-4");
    stage.until(() => isSettled(stage, "web") && isSettled(stage, "log"), 8_000);
    expect(stage.places("log")).toEqual(stage.places("web"));
  });

  test("a service that goes with one that nobody knows is refused, by that name", () => {
    const stage = ready({ web: { prefer: ["node-4"] }, log: { with: ["web"] } });
    const alone = stage.deploy("log");
    stage.until(() => stage.outcome(alone) !== false, 5_000);
    expect(stage.outcome(alone)).toMatch(/log names web in with/);
    stage.deploy("web", "log");
    stage.until(() => isSettled(stage, "log"), 5_000);
    expect(stage.places("log")).toEqual(["node-4"]);
  });

  test("a service that stays apart from another is not where that is", () => {
    const stage = running({
      batch: { prefer: ["node-4"] },
      web: { prefer: ["node-4"], apart: ["batch"] },
    });
    expect(stage.runsOn("batch")).toEqual(["node-4"]);
    expect(stage.runsOn("web")).not.toContain("node-4");
  });

  test("who states that it stays apart gives way when the other has no choice", () => {
    const batch = { placement: { type: "label", label: "disk=ssd" } } as const;
    const stage = ready({ batch, web: { prefer: ["node-4"], apart: ["batch"] } });
    stage.deploy("batch", "web");
    stage.until(() => stage.runs("web", "node-4"), 5_000);
    stage.relabel("node-4", { disk: "ssd" });
    stage.crashNode("node-4", 200);
    stage.until(() => isSettled(stage, "batch") && isSettled(stage, "web"), 8_000);
    expect(stage.places("batch")).toEqual(["node-4"]);
    expect(stage.places("web")).not.toContain("node-4");
    expect(stage.events("ServiceMoved")).toHaveLength(1);
  });

  test("a loss never puts together what stays apart: it waits for its node", () => {
    const others = ["node-1", "node-2", "node-3", "node-4"];
    const labels = Object.fromEntries(others.map((node) => [node, ["job=yes"]]));
    const batch = { placement: { type: "label", label: "job=yes", replicas: 4 } } as const;
    const stage = running({ batch, web: { apart: ["batch"] } }, { labels });
    expect(stage.runsOn("web")).toEqual(["node-5"]);
    stage.loseMachine("node-5", 10_000);
    stage.run(8_000);
    expect(stage.places("web")).toEqual(["node-5"]);
    stage.until(() => stage.runs("web", "node-5"), 8_000);
    expect(stage.lives("web")).toHaveLength(2);
  });

  test("two types that share a name: on a node one of them runs at a time", () => {
    const shared = { serviceName: "http", prefer: ["node-4"] };
    const stage = running({ blue: shared, green: shared });
    expect(stage.runsOn("blue")).toEqual(["node-4"]);
    expect(stage.runsOn("green")).not.toContain("node-4");
  });

  test("two of one name that are wanted on one node: the second is broken, and names the holder", () => {
    const shared = { serviceName: "http", placement: { type: "node", node: "node-4" } } as const;
    const stage = ready({ blue: shared, green: shared });
    stage.deploy("blue");
    stage.until(() => stage.runs("blue", "node-4"), 5_000);
    stage.deploy("green");
    stage.until(() => stage.slot("green", "node-4")?.broken !== undefined, 60_000);
    expect(stage.slot("green", "node-4")?.broken).toMatch(/blue/);
    expect(stage.lives("green")).toEqual([]);
    expect(stage.lives("blue")).toHaveLength(1);
  });

  test("a service starts after the one that it names runs, and not before", () => {
    const slow = { readyUs: 2_000_000, stopUs: 10_000, answerUs: 1_000, memoryMb: 20 };
    const stage = ready({ base: { script: slow }, web: { after: ["base"] } });
    stage.deploy("base", "web");
    stage.always(() => stage.runs("base") || stage.lives("web").length === 0, 1_500);
    stage.until(() => stage.runs("web"), 5_000);
    const [web] = stage.lives("web");
    expect(web?.fromMs).toBeGreaterThan((stage.lives("base")[0]?.fromMs ?? 0) + 1_900);
  });

  test("what runs after another goes on when that fails", () => {
    const stage = running({ base: {}, web: { after: ["base"] } });
    stage.crashService("base");
    stage.until(() => stage.lives("base").length === 2 && stage.runs("base"), 8_000);
    stage.run(2_000);
    expect(stage.lives("web")).toMatchObject([{ end: null }]);
  });

  test("a chain of services starts in its order", () => {
    const stage = running({ c: { after: ["b"] }, a: {}, b: { after: ["a"] } });
    const from = ["a", "b", "c"].map((name) => stage.lives(name)[0]?.fromMs ?? 0);
    expect(from).toEqual([...from].sort((one, other) => one - other));
    expect(new Set(from).size).toBe(3);
  });
});

describe("when a node is lost", () => {
  test("copies that are lost together move once, to nodes that are there", () => {
    const stage = running({ web: { placement: any(2), prefer: ["node-4", "node-5"] } });
    for (const node of ["node-4", "node-5"]) stage.loseMachine(node);
    stage.until(() => isDown(stage, "node-4") && isDown(stage, "node-5"), 3_000);
    stage.until(() => isSettled(stage, "web"), 5_000);
    const moved = stage.fired("node-loss-settled").filter(({ commands }) => commands.length > 0);
    expect(moved).toHaveLength(1);
    expect(stage.lives("web")).toHaveLength(4);
    expect(stage.places("web").some((node) => ["node-4", "node-5"].includes(node))).toBe(false);
  });

  test("what waits for its node stays, and starts there when it is back", () => {
    const stage = running({ web: { prefer: ["node-4"], onNodeLoss: "wait" } });
    stage.loseMachine("node-4", 20_000);
    stage.run(15_000);
    expect(stage.places("web")).toEqual(["node-4"]);
    expect(stage.instances("web")).toMatchObject([{ state: "unknown" }]);
    stage.until(() => stage.runs("web", "node-4"), 15_000);
  });

  test("a suspicion moves nothing", () => {
    const stage = running({ web: { prefer: ["node-4"] } });
    const heal = stage.cutBetween("node-4", stage.leader() ?? "");
    stage.run(6_000);
    expect(stage.node("node-4")?.state).toBe("suspect");
    expect(stage.places("web")).toEqual(["node-4"]);
    heal();
    stage.run(5_000);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("with nowhere to go it keeps its place, and runs there again", () => {
    const labels = { "node-4": ["disk=ssd"] };
    const stage = running({ web: { placement: { type: "label", label: "disk=ssd" } } }, { labels });
    stage.loseMachine("node-4", 6_000);
    stage.run(4_000);
    expect(stage.places("web")).toEqual(["node-4"]);
    stage.until(() => stage.runs("web", "node-4"), 8_000);
    expect(stage.events("ServiceMoved")).toEqual([]);
  });

  test("a service that a person stopped is stopped where it moves to", () => {
    const stage = running({ web: { prefer: ["node-4"] } });
    const stopped = stage.stop("web");
    stage.until(() => stage.outcome(stopped) === true, 5_000);
    stage.loseMachine("node-4");
    stage.until(() => stage.places("web").join() !== "node-4", 5_000);
    stage.run(5_000);
    const [place = ""] = stage.places("web");
    expect(stage.slot("web", place)?.halted).toBe(true);
    expect(stage.lives("web")).toHaveLength(1);
  });

  test("a drain moves its copies while the others go on", () => {
    const stage = running({ web: { placement: any(3), prefer: ["node-3", "node-4", "node-5"] } });
    const drained = stage.drain("node-4");
    stage.always(() => stage.runsOn("web").length >= 3, 3_000);
    expect(stage.outcome(drained)).toBe(true);
    expect(stage.lives("web")).toHaveLength(4);
  });
});
