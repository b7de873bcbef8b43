import { describe, expect, test } from "vitest";
import { clusterSpec, deployment, manifest } from "../../testdata/samples.ts";
import { TestCluster } from "../../testdata/test-cluster.ts";
import { LeaseGrants } from "./lease-grants.ts";

const spec = clusterSpec([deployment("cron", { exclusive: "cluster" })], {
  types: [manifest("cron", { kind: "process" })],
});
const asked = [{ instance: "cron@a#1", token: 1 }];
const granted = (ref: number) => ({ type: "granted", ref, instances: ["cron@a#1"] });
const nothing = (ref: number) => ({ type: "granted", ref, instances: [] });

/** The exclusive service runs on `a`. */
function leading() {
  const cluster = new TestCluster();
  cluster.addNode("a");
  cluster.settle();
  cluster.apply(spec);
  cluster.settle();
  return { grants: new LeaseGrants(0), state: cluster.state };
}

describe("a proof of ownership", () => {
  test("is asked for once while one is under way, and again for those that came meanwhile", () => {
    const { grants, state } = leading();
    expect(grants.renew(1, "a", asked)).toEqual([{ type: "confirm", ref: 1 }]);
    expect([...grants.renew(2, "a", asked), ...grants.renew(3, "a", asked)]).toEqual([]);
    const effects = grants.confirmed(1, false, state, 1);
    expect(effects).toMatchObject([
      { type: "refused", ref: 1, code: "HAL_NO_LEADER" },
      { type: "confirm", ref: 2 },
    ]);
  });

  test("counts once: its answer given again grants nothing to those that came after its question", () => {
    const { grants, state } = leading();
    grants.renew(1, "a", asked);
    grants.renew(2, "a", asked);
    grants.confirmed(1, true, state, 1);
    expect(grants.confirmed(1, true, state, 2)).toEqual([]);
  });
});

describe("a renewal that waits until the state is durable", () => {
  /** It is confirmed and waits, under the number 2. */
  function waiting() {
    const { grants, state } = leading();
    grants.renew(7, "a", asked);
    expect(grants.confirmed(1, true, state, 100)).toEqual([{ type: "whenDurable", ref: 2 }]);
    return { grants, state };
  }

  test("is granted as of then, once", () => {
    const { grants, state } = waiting();
    expect(grants.durable(2, state, 400)).toEqual([granted(7)]);
    expect(grants.durable(2, state, 500)).toEqual([]);
    expect(grants.losing("a", 1_000)).toBe(600);
  });

  test("is granted nothing when the loss of its node was told of meanwhile, which says that no lease is younger", () => {
    const { grants, state } = waiting();
    expect(grants.losing("a", 1_000)).toBe(1_000);
    expect(grants.durable(2, state, 1_100)).toEqual([nothing(7)]);
  });

  test("waits again after a loss that was decided otherwise: what was known to be durable is not believed twice", () => {
    const { grants, state } = waiting();
    grants.durable(2, state, 400);
    grants.losing("a", 1_000);
    grants.decided("a");
    grants.renew(8, "a", asked);
    expect(grants.confirmed(3, true, state, 1_100)).toEqual([{ type: "whenDurable", ref: 4 }]);
  });

  test("has its place in the bound, so that a disk that stands still does not gather renewals for ever", () => {
    const { grants, state } = leading();
    let ref = 0;
    const refused: string[] = [];
    while (refused.length === 0 && ref < 30_000) {
      ref += 1;
      for (const effect of grants.renew(ref, "a", asked)) {
        if (effect.type === "refused") refused.push(effect.code);
        if (effect.type === "confirm") grants.confirmed(effect.ref, true, state, ref);
      }
    }
    expect(refused).toEqual(["HAL_TOO_MANY"]);
  });
});
