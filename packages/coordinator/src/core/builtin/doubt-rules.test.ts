import type { CommandAction } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { clusterSpec, deployment, manifest } from "../../../testdata/samples.ts";
import { emit, fail } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";

const web = "web@a#1";
const silent = "no answer within 2 s (3 times)";
const at = { node: "a", service: "web", instance: web };

/** Nodes a to d; web runs on a, and so many of the others watch it, b first. */
function cluster(watchers: number): TestCluster {
  const made = new TestCluster();
  for (const name of ["a", "b", "c", "d"]) made.addNode(name);
  made.settle();
  made.apply(
    clusterSpec([deployment("web", { on: { node: "a" } })], {
      types: [manifest("web", { watchers })],
    }),
  );
  made.settle();
  return made;
}

function tell(made: TestCluster, by: string, type: string, data: object): void {
  emit(made.node(by), type, data as never);
  made.deliverEvent(by);
}

const doubt = (made: TestCluster, by: string, reason = silent) =>
  tell(made, by, "InstanceDoubted", { ...at, by, reason });
const trust = (made: TestCluster, by: string) => tell(made, by, "InstanceTrusted", { ...at, by });

/** What a is asked to do and has not answered. */
const asked = (made: TestCluster): CommandAction[] =>
  made.state.outbox.of("a").map(({ action }) => action);

describe("an instance that one of its watchers doubts", () => {
  test("runs on while another one gets answers, with the evidence", () => {
    const made = cluster(2);
    doubt(made, "b");
    expect(asked(made)).toEqual([]);
    expect(made.instance(web)).toMatchObject({
      state: "running",
      doubts: [{ by: "b", reason: silent }],
    });
  });

  test("is checked by its own node once all of them that are up doubt it", () => {
    const made = cluster(2);
    doubt(made, "b");
    doubt(made, "c", "the way is closed (3 times)");
    const said = `doubted by b: ${silent}; doubted by c: the way is closed (3 times)`;
    const check = { type: "CheckService", service: "web", instance: web, doubt: said };
    expect(asked(made)).toEqual([check]);
    // Said again, it is not asked twice.
    doubt(made, "b");
    expect(asked(made)).toEqual([check]);
  });

  test("is checked when the only other watcher goes and nobody takes its place", () => {
    const made = cluster(3);
    doubt(made, "b");
    doubt(made, "c");
    expect(asked(made)).toEqual([]);
    made.lose("d");
    made.tick(300);
    expect(asked(made)).toMatchObject([{ type: "CheckService", instance: web }]);
  });

  test("is not restarted while its own node gets answers: the way between two nodes is broken", () => {
    const made = cluster(1);
    doubt(made, "b");
    made.settle();
    const evidence = `doubted by b: ${silent}; its own node finds it well`;
    expect(made.instance(web)).toMatchObject({ state: "degraded", health: "ok", reason: evidence });
    // However long that lasts, and however often it is said.
    for (let said = 0; said < 5; said += 1) {
      made.tick(30_000);
      doubt(made, "b");
      made.settle();
    }
    expect(made.real()).toEqual(["web@a#1 running"]);
    expect(made.slot("web@a")).toMatchObject({ restarts: 0, incarnation: 1 });
    trust(made, "b");
    expect(made.instance(web)).toMatchObject({ state: "running", health: "ok" });
    expect(made.instance(web).doubts).toBeUndefined();
    expect(made.instance(web).reason).toBeUndefined();
  });

  test("is a failure by the restart policy when its own node gets no answer either", () => {
    const made = cluster(1);
    doubt(made, "b");
    fail(made.node("a"), web);
    made.drain();
    expect(made.seen()).toContain("web@a#2 running");
    expect(made.slot("web@a").restarts).toBe(1);
    // What is said of the one before is of the past.
    doubt(made, "b");
    expect(made.whyOf("InstanceDoubted")).toBe(`ignored: ${web} is not a current instance`);
  });

  test("is stopped when its own node does not answer the check, and starts again", () => {
    const made = cluster(1);
    made.wires.get("a")?.splice(0);
    doubt(made, "b");
    made.wires.get("a")?.splice(0);
    made.tick(11_000);
    expect(asked(made)).toMatchObject([{ type: "StopService", instance: web }]);
    made.settle();
    expect(made.seen()).toContain("web@a#2 running");
  });

  test("is left alone when its node cannot be reached", () => {
    const made = cluster(1);
    made.cut("a");
    doubt(made, "b");
    made.observe("NodeSuspected", { node: "a", incarnation: 1, reason: "silent" });
    made.tick(11_000);
    expect(asked(made)).toEqual([]);
    expect(made.instance(web).state).toBe("running");
  });

  test("is left alone while its node is in maintenance", () => {
    const made = cluster(1);
    made.ask("NodeMaintenanceRequested", { node: "a", on: true });
    doubt(made, "b");
    expect(asked(made)).toEqual([]);
    expect(made.whyOf("InstanceDoubted")).toContain("in maintenance");
  });
});

test("a node that is not set over the instance is not heard", () => {
  const made = cluster(1);
  doubt(made, "c");
  expect(made.whyOf("InstanceDoubted")).toBe(`ignored: c does not watch ${web}`);
  expect(made.instance(web).doubts).toBeUndefined();
});

test("a watcher that goes takes its doubt along", () => {
  const made = cluster(1);
  doubt(made, "b");
  made.settle();
  made.lose("b");
  made.tick(300);
  expect(made.instance(web)).toMatchObject({ state: "running" });
  expect(made.instance(web).doubts).toBeUndefined();
});
