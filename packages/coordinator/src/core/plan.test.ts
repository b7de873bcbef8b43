import type { ClusterSpec } from "@halon/protocol";
import { defineRules, events, on, type Rules } from "@halon/rules";
import { expect, test } from "vitest";
import { clusterSpec, deployment, hashLike } from "../../testdata/samples.ts";
import { ruleSet, TestCluster } from "../../testdata/test-cluster.ts";
import { Plan } from "./plan.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot.ts";

function cluster(files: Readonly<Record<string, Rules>> = {}): TestCluster {
  const made = new TestCluster(files);
  made.addNode("a");
  made.addNode("b");
  made.settle();
  return made;
}

/** As its driver does it: `brings` are the rule files of the cluster file. */
function planned(of: TestCluster, spec: ClusterSpec, brings: Readonly<Record<string, Rules>> = {}) {
  const before = encodeSnapshot(of.state);
  const plan = new Plan(decodeSnapshot(before));
  const refused = plan.apply(of.rules, spec);
  let { rules } = of;
  for (;;) {
    if (plan.hasOtherRules()) rules = ruleSet(brings);
    if (!plan.goOn(rules)) break;
  }
  expect(encodeSnapshot(of.state)).toBe(before);
  return { refused, ...plan.outcome([], null) };
}

const everywhere = clusterSpec([deployment("web", { on: "every-node" })]);

test("what is planned is what applying does, when nodes do what they are told", () => {
  const made = cluster();
  const { refused, commands, resources, cut } = planned(made, everywhere);
  expect([refused, cut]).toEqual([null, undefined]);
  expect(commands.items).toEqual([
    { command: "StartService", target: "web@a#1", node: "a" },
    { command: "StartService", target: "web@b#1", node: "b" },
  ]);
  const before = new Set(made.seen());
  made.apply(everywhere);
  made.settle();
  const added = made.seen().filter((each) => !before.has(each));
  expect(added).toEqual(["web@a#1 running", "web@b#1 running"]);
  const planned1 = resources.items.filter(({ key }) => key.startsWith("ServiceInstance/"));
  expect(planned1).toEqual([
    { action: "add", key: "ServiceInstance/web@a#1" },
    { action: "add", key: "ServiceInstance/web@b#1" },
  ]);
});

test("what the cluster has already leads to no command and no change of a resource", () => {
  const made = cluster();
  made.apply(everywhere);
  made.settle();
  const { commands, resources } = planned(made, everywhere);
  expect([commands.items, resources.items]).toEqual([[], []]);
});

test("rules of files that the cluster file brings act on what follows, not on the cluster file itself", () => {
  const watch = defineRules({
    applied: on(events.ClusterApplied).do(({ why }) => why("too early")),
    started: on(events.ServiceStarted).do(({ event, why }) => why(`${event.instance} started`)),
  });
  const rules = [{ name: "watch", blob: hashLike("w"), rules: [], events: [], resources: {} }];
  const { rules: acted } = planned(cluster(), { ...everywhere, rules }, { watch });
  expect(acted.items.filter(({ rule }) => rule.startsWith("watch/"))).toEqual([
    { rule: "watch/started", why: "web@a#1 started", times: 2 },
  ]);
});

test("a removal and a move say what stops and what starts", () => {
  const made = cluster();
  made.apply(everywhere);
  made.settle();
  const { commands } = planned(made, clusterSpec([]));
  expect(commands.items.map(({ command, target }) => `${command} ${target}`)).toEqual([
    "StopService web@a#1",
    "StopService web@b#1",
  ]);
});

test("what would be refused is refused with the reason", () => {
  const web = deployment("web", { after: ["ghost"] });
  expect(planned(cluster(), clusterSpec([web])).refused).toContain("ghost");
});

test("a command whose outcome nobody knows is sent, and the plan says that it is not all", () => {
  const asks = defineRules({
    asks: on(events.ServiceStarted).do(({ event, command }) => {
      const { node, service, instance } = event;
      command.send(node, { type: "ReportStatus", service, instance }, { deadlineMs: 1_000 });
    }),
  });
  const { commands, cut } = planned(cluster({ asks }), everywhere, { asks });
  expect(commands.items.filter(({ command }) => command === "ReportStatus").length).toBe(2);
  expect(cut).toBe("what follows 2 commands depends on their outcome");
});

test("of a thousand services the first hundred are named, the others counted", () => {
  const names = Array.from({ length: 1_000 }, (_, at) => deployment(`s${at}`, { type: "web" }));
  const { commands, rules, cut } = planned(cluster(), clusterSpec(names));
  expect([commands.items.length, commands.more, cut]).toEqual([100, 900, undefined]);
  expect(rules.items.length).toBeLessThanOrEqual(100);
});
