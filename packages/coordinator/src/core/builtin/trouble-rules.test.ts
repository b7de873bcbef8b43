import { events } from "@halon/protocol";
import { defineRules, on } from "@halon/rules";
import { expect, test } from "vitest";
import { clusterSpec, deployment } from "../../../testdata/samples.ts";
import { emit, finish } from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";
import { emptyState, fold } from "../index.ts";

const goOn = defineRules({
  "help-with-disk": on(events.ServiceTrouble)
    .where(({ event }) => event.code === "DISK")
    .do(({ event, command }) => {
      const { node, service, instance, ref } = event;
      const answer = { type: "AnswerTrouble", service, instance, ref, answer: "goOn" } as const;
      command.send(node, { ...answer, data: { free: 3 } }, { deadlineMs: 10_000 });
    }),
});

function running(files = {}): TestCluster {
  const cluster = new TestCluster(files);
  cluster.addNode("a");
  cluster.settle();
  cluster.apply(clusterSpec([deployment("web")]));
  cluster.settle();
  return cluster;
}

const at = (incarnation: number) => ({
  node: "a",
  service: "web",
  instance: `web@a#${incarnation}`,
});

function say(cluster: TestCluster, type: string, incarnation: number, data: object): void {
  emit(cluster.node("a"), type, { ...at(incarnation), ...data } as never);
  cluster.deliverEvent("a");
}

const trouble = { ref: "1", code: "DISK", reason: "it is full" };
const actions = (cluster: TestCluster) => cluster.state.outbox.of("a").map(({ action }) => action);

test("a trouble that no rule answers within 5 s is answered with a restart", () => {
  const cluster = running();
  say(cluster, "ServiceTrouble", 1, trouble);
  cluster.tick(4_999);
  expect(actions(cluster)).toEqual([]);
  cluster.tick(1);
  expect(actions(cluster)).toMatchObject([
    { type: "AnswerTrouble", instance: "web@a#1", ref: "1", answer: "restart" },
  ]);
});

test("nobody answers the trouble of a service that was stopped meanwhile", () => {
  const cluster = running();
  say(cluster, "ServiceTrouble", 1, trouble);
  cluster.ask("ServiceStopRequested", { service: "web" });
  cluster.settle();
  cluster.tick(5_000);
  expect(actions(cluster)).toEqual([]);
  expect(cluster.whyOf("TroubleDue")).toContain("ignored: web@a#1 is stopped already");
});

test("the answer of a rule file is the only one", () => {
  const cluster = running({ mine: goOn });
  say(cluster, "ServiceTrouble", 1, trouble);
  cluster.tick(5_000);
  const [command, ...more] = cluster.state.outbox.of("a");
  expect(command?.action).toMatchObject({ answer: "goOn", data: { free: 3 } });
  expect(more).toEqual([]);
  say(cluster, "TroubleAnswered", 1, { ref: "1", command: command?.id });
  expect(actions(cluster)).toEqual([]);
  cluster.tick(60_000);
  expect(actions(cluster)).toEqual([]);
});

test("a coordinator that takes over answers what the one before did not", () => {
  const cluster = running();
  say(cluster, "ServiceTrouble", 1, trouble);
  const again = emptyState();
  for (const record of cluster.records) fold(again, record);
  Object.assign(cluster.state, again);
  cluster.epoch += 1;
  cluster.tick(5_000);
  expect(actions(cluster)).toMatchObject([{ type: "AnswerTrouble", answer: "restart" }]);
});

test("an answer of which nobody knows whether it came ends in a restart", () => {
  const cluster = running();
  say(cluster, "ServiceTrouble", 1, trouble);
  cluster.wires.set("a", []);
  cluster.tick(5_000);
  cluster.wires.set("a", []);
  cluster.tick(10_000);
  expect(cluster.instance("web@a#1")).toMatchObject({ state: "stopping" });
});

test("troubles and ends of an earlier incarnation are consumed and ignored", () => {
  const cluster = running();
  cluster.ask("ServiceRestartRequested", { service: "web" });
  cluster.settle();
  expect(cluster.real()).toEqual(["web@a#2 running"]);
  say(cluster, "ServiceTrouble", 1, trouble);
  say(cluster, "ServiceExited", 1, { reason: "done" });
  say(cluster, "ServiceFailed", 1, { reason: "late", healthyMs: 5, cause: "exception" });
  say(cluster, "ServiceReconfigured", 1, { configuration: "0".repeat(64) });
  cluster.tick(5_000);
  expect(actions(cluster)).toEqual([]);
  expect(cluster.instance("web@a#2")).toMatchObject({ state: "running" });
  expect(cluster.slot("web@a").halted).toBeUndefined();
  for (const type of ["ServiceTrouble", "ServiceExited", "ServiceFailed", "ServiceReconfigured"]) {
    expect(cluster.whyOf(type)).toContain("ignored: web@a#1 is not a current instance");
  }
});

function exit(cluster: TestCluster, incarnation: number): void {
  delete cluster.node("a").running[`web@a#${incarnation}`];
  say(cluster, "ServiceExited", incarnation, { reason: "all is counted" });
}

test("a service whose work is done stays stopped, with its reason, until a person starts it", () => {
  const cluster = running();
  exit(cluster, 1);
  cluster.drain();
  expect(cluster.real()).toEqual([]);
  expect(cluster.instance("web@a#1")).toMatchObject({
    state: "stopped",
    reason: "it has ended by itself: all is counted",
  });
  expect(cluster.slot("web@a")).toMatchObject({ halted: true });
  expect(cluster.slot("web@a").notice).toContain("all is counted");
  cluster.ask("ServiceStartRequested", { service: "web" });
  cluster.settle();
  expect(cluster.real()).toEqual(["web@a#2 running"]);
  expect(cluster.slot("web@a").notice).toBeUndefined();
});

test("one that is done before it was ready gives those who started it what they asked for", () => {
  const cluster = new TestCluster();
  cluster.addNode("a");
  cluster.settle();
  const operation = cluster.apply(clusterSpec([deployment("web")]));
  cluster.settle({ hold: ["web@a#1"] });
  exit(cluster, 1);
  expect(cluster.operation(operation).state).toBe("done");
  cluster.drain();
  expect(cluster.real()).toEqual([]);
});

test("one that ends by itself while it is restarted is started again", () => {
  const cluster = running();
  cluster.ask("ServiceRestartRequested", { service: "web" });
  say(cluster, "ServiceExited", 1, { reason: "all is counted" });
  cluster.settle();
  finish(cluster.node("a"), "web@a#1");
  cluster.settle();
  expect(cluster.slot("web@a").halted).toBeUndefined();
  expect(cluster.real()).toEqual(["web@a#2 running"]);
});
