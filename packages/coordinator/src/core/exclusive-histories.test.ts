import { compareText, type Json } from "@halon/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { LeasedWorld } from "../../testdata/leased-world.ts";
import { clusterSpec, deployment, manifest } from "../../testdata/samples.ts";
import { fail, finish, underWay } from "../../testdata/scripted-node.ts";
import { isLive } from "./builtin/context.ts";

const names = ["a", "b", "c"] as const;
const types = [manifest("cron", { kind: "process" }), manifest("web")];
const exclusive = deployment("cron", { exclusive: "cluster" });
const web = deployment("web", { replicas: 2 });

/** Cluster files that follow each other; the first is what must run in the end. */
const specs = [
  clusterSpec([exclusive, web], { types }),
  clusterSpec([{ ...exclusive, on: { node: "b" } }, web], { types }),
  clusterSpec([{ ...exclusive, onNodeLoss: "wait" }], { types }),
  clusterSpec([web], { types }),
  clusterSpec([{ ...exclusive, prefer: ["c"] }], {
    types: [manifest("cron", { kind: "process", version: "1.1.0" }), ...types.slice(1)],
  }),
];

type Step = (world: LeasedWorld, name: string, x: number) => void;

const steps: Readonly<Record<string, Step>> = {
  receive: ({ cluster }, name) => cluster.deliverCommand(name),
  begin: (world, name) => world.begin(name),
  event: ({ cluster }, name) => void cluster.deliverEvent(name),
  finish: ({ cluster }, name, x) => {
    const moving = underWay(cluster.node(name));
    const chosen = moving[x % Math.max(1, moving.length)];
    if (chosen !== undefined) finish(cluster.node(name), chosen.instance);
  },
  fail: ({ cluster }, name, x) => {
    const present = Object.keys(cluster.node(name).running).sort(compareText);
    const chosen = present[x % Math.max(1, present.length)];
    if (chosen !== undefined) fail(cluster.node(name), chosen, 20_000 * (x % 2));
  },
  settle: (world) => world.settle(),
  renew: (world) => world.renew(),
  tick: (world, _, x) => world.tick(x * 100),
  serve: (world, _, x) => world.tick(x * 100, 500),
  run: (world, _, x) => world.run(x * 100),
  connectAll: (world) => {
    for (const each of names) world.connect(each);
    world.settle();
  },
  cut: ({ cluster }, name) => cluster.cut(name),
  connect: (world, name) => world.connect(name),
  lose: (world, name) => world.lose(name),
  restart: (world, name) => world.restart(name),
  takeOver: (world) => world.takeOver(),
  doubt: ({ cluster }, name, x) => {
    const { incarnation } = cluster.node(name);
    const type = x % 2 === 0 ? "NodeSuspected" : "NodeTrusted";
    cluster.observe(type, { node: name, incarnation, reason: "a beat is late" });
  },
  leave: (world, name) => world.leave(name),
  apply: ({ cluster }, _, x) => void cluster.apply(specs[x % specs.length] ?? clusterSpec([])),
  ask: ({ cluster }, name, x) => {
    const requests: readonly (readonly [string, { readonly [key: string]: Json }])[] = [
      ["ServiceStartRequested", { service: "cron" }],
      ["ServiceStopRequested", { service: "cron" }],
      ["ServiceRestartRequested", { service: "cron" }],
      ["NodeDrainRequested", { node: name }],
      ["NodeResumeRequested", { node: name }],
      ["NodeRemoveRequested", { node: name }],
      ["NodeMaintenanceRequested", { node: name, on: x % 2 === 0 }],
      ["BreakerResetRequested", {}],
    ];
    const chosen = requests[x % requests.length];
    if (chosen !== undefined) cluster.ask(...chosen);
  },
};

const often = ["run", "run", "run", "settle", "lose", "lose", "connectAll", "takeOver"];

const history = fc.array(
  fc.record({
    // Often at rest, and often under way: losses are of interest while something runs.
    step: fc.constantFrom(...Object.keys(steps), ...often),
    name: fc.constantFrom(...names),
    x: fc.nat(29),
  }),
  { minLength: 10, maxLength: 120 },
);

/** What must hold at every moment. */
function flaws(world: LeasedWorld): string[] {
  const mayRun = world.cluster.state.graph
    .list("ServiceInstance", { service: "cron" })
    .filter(({ attributes }) => isLive(attributes.state) || attributes.state === "unknown");
  return [
    ...world.overlaps.map((overlap) => `${overlap} ran at the same time`),
    ...(mayRun.length <= 1 ? [] : [`${mayRun.map(({ id }) => id)} may run`]),
  ];
}

test("at no moment do two instances of an exclusive service run, or may run, and tokens grow", () => {
  fc.assert(
    fc.property(history, (moves) => {
      const world = new LeasedWorld();
      for (const name of names) world.cluster.addNode(name);
      world.settle();
      world.cluster.apply(specs[0] ?? clusterSpec([]));
      for (const { step, name, x } of moves) {
        steps[step]?.(world, name, x);
        world.expire();
        expect(flaws(world)).toEqual([]);
      }
      const starts = world.startedTokens();
      expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
    }),
    { numRuns: 150 },
  );
});

test("whatever has happened, one runs in the end under the newest token", () => {
  fc.assert(
    fc.property(history, (moves) => {
      const world = new LeasedWorld();
      for (const name of names) world.cluster.addNode(name);
      for (const { step, name, x } of moves) steps[step]?.(world, name, x);
      const { cluster } = world;
      for (const name of names) {
        cluster.ask("NodeMaintenanceRequested", { node: name, on: false });
        cluster.ask("NodeResumeRequested", { node: name });
      }
      cluster.ask("BreakerResetRequested", {});
      cluster.apply(specs[0] ?? clusterSpec([]));
      cluster.ask("ServiceStartRequested", { service: "cron" });
      for (let rounds = 0; rounds < 40; rounds += 1) {
        for (const name of names) world.connect(name);
        for (const name of names) steps["doubt"]?.(world, name, 1);
        world.settle();
        world.tick(1_000, 500);
      }
      world.settle();
      expect(world.running()).toHaveLength(1);
      const [instance = ""] = world.running();
      expect(cluster.instance(instance).state).toBe("running");
      expect(cluster.instance(instance).token).toBe(
        cluster.state.graph.get("Deployment", "cron")?.attributes.token,
      );
    }),
    { numRuns: 40 },
  );
});
