import { describe, expect, test } from "vitest";
import { clusterSpec, deployment, manifest } from "../testdata/samples.ts";
import { TestCluster } from "../testdata/test-cluster.ts";
import { Leases } from "./leases.ts";

const spec = clusterSpec([deployment("cron", { exclusive: "cluster" })], {
  types: [manifest("cron", { kind: "process" })],
});
const asked = [{ instance: "cron@a#1", token: 1 }];
const granted = ["cron@a#1"];

/** A leader whose store, disk and clock do what the test says; the exclusive service runs on `a`. */
function leading() {
  const cluster = new TestCluster();
  cluster.addNode("a");
  cluster.addNode("b");
  cluster.settle();
  cluster.apply(spec);
  cluster.settle();
  const proofs: ((isOwner: boolean) => void)[] = [];
  const reads: (() => void)[] = [];
  const world = { now: 5_000, isDurable: true };
  const leases = new Leases({
    confirm: () => new Promise((resolve) => proofs.push(resolve)),
    state: () => cluster.state,
    whenDurable: (read) => void (world.isDurable ? read() : reads.push(read)),
    now: () => world.now,
  });
  return {
    cluster,
    leases,
    world,
    proofs,
    /** The store answers the oldest question. */
    prove: (isOwner = true) => proofs.shift()?.(isOwner),
    /** All that was decided is durable now. */
    commit() {
      world.isDurable = true;
      for (const read of reads.splice(0)) read();
    },
    lose() {
      cluster.cut("a");
      cluster.observe("NodeLost", { node: "a", incarnation: 1, reason: "silent" });
    },
  };
}

/** Lets promises that can settle do so. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("a renewal", () => {
  test("is granted after the store has confirmed its owner, and not before", async () => {
    const { leases, prove } = leading();
    const outcomes: unknown[] = [];
    const renewal = leases.renew("a", asked).then((instances) => outcomes.push(instances));
    await turn();
    expect(outcomes).toEqual([]);
    prove();
    await renewal;
    expect(outcomes).toEqual([granted]);
  });

  test("is refused when ownership is not confirmed", async () => {
    const { leases, prove } = leading();
    const renewal = leases.renew("a", asked);
    prove(false);
    await expect(renewal).rejects.toMatchObject({ code: "HAL_NO_LEADER" });
  });

  test("shares its proof with those that came before the proof was asked for, and with no later one", async () => {
    const { leases, prove, proofs } = leading();
    const first = leases.renew("a", asked);
    const later = [leases.renew("a", asked), leases.renew("b", asked)];
    expect(proofs).toHaveLength(1);
    prove();
    expect(await first).toEqual(granted);
    expect(proofs).toHaveLength(1);
    prove();
    expect(await Promise.all(later)).toEqual([granted, []]);
    expect(proofs).toEqual([]);
  });

  test("is decided on the state as of the proof, not as of the question", async () => {
    const { leases, prove, lose } = leading();
    const renewal = leases.renew("a", asked);
    lose();
    prove();
    expect(await renewal).toEqual([]);
  });

  test("of a node whose return is decided waits until that is durable: a successor may not know of it", async () => {
    const { leases, prove, lose, cluster, world, commit } = leading();
    lose();
    world.isDurable = false;
    cluster.connect("a");
    cluster.settle();
    const outcomes: unknown[] = [];
    const renewal = leases.renew("a", asked).then((instances) => outcomes.push(instances));
    prove();
    await turn();
    expect(outcomes).toEqual([]);
    commit();
    await renewal;
    expect(outcomes).toEqual([granted]);
  });

  test("does not wait for the disk while nothing has changed about the node", async () => {
    const { leases, prove, world } = leading();
    const first = leases.renew("a", asked);
    prove();
    await first;
    world.isDurable = false;
    const second = leases.renew("a", asked);
    prove();
    expect(await second).toEqual(granted);
  });
});

describe("a lost node", () => {
  test("gets nothing from the moment at which its loss is told of, before that is decided", async () => {
    const { leases, prove } = leading();
    leases.losing("a");
    const renewal = leases.renew("a", asked);
    prove();
    expect(await renewal).toEqual([]);
  });

  test("gets leases again when its loss was ignored, or it is back", async () => {
    const { leases, prove, lose, cluster } = leading();
    leases.losing("a");
    leases.decided("a");
    const ignored = leases.renew("a", asked);
    prove();
    expect(await ignored).toEqual(granted);
    leases.losing("a");
    lose();
    leases.decided("a");
    const down = leases.renew("a", asked);
    prove();
    expect(await down).toEqual([]);
    cluster.connect("a");
    cluster.settle();
    const back = leases.renew("a", asked);
    prove();
    expect(await back).toEqual(granted);
  });

  test("has a last lease of the age of its last grant, or of the takeover when there was none", async () => {
    const { leases, prove, world } = leading();
    world.now = 6_000.9;
    expect(leases.losing("b")).toBe(1_000);
    const renewal = leases.renew("a", asked);
    world.now = 7_000;
    prove();
    await renewal;
    world.now = 7_400;
    expect(leases.losing("a")).toBe(400);
    // Told of twice: the last grant is as old as it is.
    expect(leases.losing("a")).toBe(400);
  });

  test("is told of as younger, never older, when a refused renewal came in between", async () => {
    const { leases, prove, world } = leading();
    const first = leases.renew("a", asked);
    prove();
    await first;
    world.now = 6_000;
    const unknown = leases.renew("a", [{ instance: "cron@a#7", token: 7 }]);
    prove();
    expect(await unknown).toEqual([]);
    expect(leases.losing("a")).toBe(1_000);
  });
});
