import { describe, expect, test } from "vitest";
import { clusterSpec, deployment, hashLike, manifest } from "../../../testdata/samples.ts";
import {
  begin,
  connect,
  emit,
  fail,
  finish,
  restartNode,
} from "../../../testdata/scripted-node.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";

const web = clusterSpec([deployment("web")]);
const port = (value: number) => ({
  config: { port: value },
  configHash: hashLike(`port ${value}`),
});

/** A cluster of these nodes on which the cluster file is applied and at rest. */
function running(spec = web, ...names: readonly string[]): TestCluster {
  const cluster = new TestCluster();
  for (const name of names.length === 0 ? ["a"] : names) cluster.addNode(name);
  cluster.settle();
  cluster.apply(spec);
  cluster.settle();
  return cluster;
}

/** The node could not do the start that is on its way to it. */
function refuseStart(cluster: TestCluster, instance: string): void {
  const node = cluster.node("a");
  const command = node.inbox.shift() ?? cluster.wires.get("a")?.shift();
  emit(node, "ServiceCouldNotStart", {
    ...{ node: "a", service: "web", instance, command: command?.id ?? "" },
    ...{ code: "HAL_SERVICE_START", reason: "it does not start" },
  });
}

describe("apply", () => {
  test("starts what is wanted, and its operation is done when that runs", () => {
    const cluster = new TestCluster();
    cluster.addNode("a");
    cluster.settle();
    const operation = cluster.apply(web);
    expect(cluster.seen()).toEqual(["web@a#1 starting"]);
    expect(cluster.operation(operation)).toMatchObject({ state: "running", waiting: ["web@a#1"] });
    cluster.settle();
    expect(cluster.seen()).toEqual(["web@a#1 running"]);
    expect(cluster.operation(operation).state).toBe("done");
  });

  test("the same cluster file again changes nothing that runs", () => {
    const cluster = running();
    const operation = cluster.apply(web);
    expect(cluster.state.outbox.size).toBe(0);
    expect(cluster.operation(operation).state).toBe("done");
  });

  test("of new code stops the old instance, then starts the new one, and is done with that", () => {
    const cluster = running();
    const types = [manifest("web", { version: "2.0.0" })];
    const operation = cluster.apply(clusterSpec([deployment("web")], { types }));
    expect(cluster.operation(operation).state).toBe("running");
    cluster.settle();
    expect(cluster.instance("web@a#2")).toMatchObject({ state: "running", version: "2.0.0" });
    expect(cluster.operation(operation).state).toBe("done");
  });

  test("with prune stops what it does not name; without, it leaves it", () => {
    const cluster = running();
    cluster.apply(clusterSpec([], { prune: false }));
    cluster.settle();
    expect(cluster.real()).toEqual(["web@a#1 running"]);
    cluster.apply(clusterSpec([]));
    cluster.settle();
    expect(cluster.real()).toEqual([]);
    expect(cluster.seen()).toEqual([]);
  });

  test("of a type that nobody knows fails with the reason, and changes nothing", () => {
    const cluster = running();
    const unknown = clusterSpec([deployment("db")], { types: [] });
    const { state, reason } = cluster.operation(cluster.apply(unknown));
    expect({ state, reason }).toEqual({
      state: "failed",
      reason: "deployment db names the type db, which the cluster does not know",
    });
    expect(cluster.real()).toEqual(["web@a#1 running"]);
  });

  test("waits for no node: a deployment without one says what is missing", () => {
    const cluster = new TestCluster();
    expect(cluster.operation(cluster.apply(web)).state).toBe("done");
    expect(cluster.state.graph.get("Deployment", "web")?.attributes.shortfall).toContain("0 of 1");
    cluster.addNode("a");
    cluster.settle();
    expect(cluster.real()).toEqual(["web@a#1 running"]);
    expect(cluster.state.graph.get("Deployment", "web")?.attributes.shortfall).toBeUndefined();
  });

  test("of rule files makes them known, takes new code of them, and forgets them", () => {
    const cluster = running();
    const file = (blob: string) => ({
      name: "mine",
      blob: hashLike(blob),
      rules: ["r"],
      events: [],
      resources: {},
    });
    const get = () => cluster.state.graph.get("RuleFile", "mine")?.attributes;
    cluster.apply({ ...web, rules: [file("one")] });
    cluster.observe("RuleFileFailed", { file: "mine", blob: hashLike("older"), reason: "no" });
    expect(get()?.quarantined).toBeUndefined();
    cluster.observe("RuleFileFailed", { file: "mine", blob: hashLike("one"), reason: "it throws" });
    expect(get()?.quarantined).toBe("it throws");
    cluster.apply({ ...web, rules: [file("two")] });
    expect(get()).toMatchObject({ blob: hashLike("two") });
    expect(get()?.quarantined).toBeUndefined();
    cluster.apply(web);
    expect(get()).toBeUndefined();
  });

  test("of another configuration leaves nothing of the one before", () => {
    const cluster = running();
    const spec = (value: number) => clusterSpec([{ ...deployment("web"), ...port(value) }]);
    for (const value of [1, 2, 3]) {
      cluster.apply(spec(value));
      cluster.settle();
    }
    const kept = cluster.state.graph.list("Configuration").map(({ id }) => id);
    expect(kept).toEqual([hashLike("port 3")]);
  });

  const disk = (schema: object) => ({
    ...web,
    rules: [
      {
        name: "mine",
        blob: hashLike("mine"),
        rules: [],
        events: [],
        resources: { Disk: { type: "object", ...schema } },
      },
    ],
  });

  test("declares the kinds of resource of a rule file, and takes another schema while there are none", () => {
    const cluster = running();
    const kind = () => cluster.state.graph.get("Kind", "Disk")?.attributes;
    expect(cluster.operation(cluster.apply(disk({}))).state).toBe("done");
    expect(kind()).toEqual({ schema: { type: "object" } });
    const size = { properties: { size: { type: "number" } } };
    expect(cluster.operation(cluster.apply(disk(size))).state).toBe("done");
    expect(kind()).toEqual({ schema: { type: "object", ...size } });
  });

  test("of a kind that is Halon's own fails with the reason, and changes nothing", () => {
    const cluster = running();
    const spec = { ...web, types: [manifest("web", { resources: { Node: { type: "object" } } })] };
    expect(cluster.operation(cluster.apply(spec))).toMatchObject({
      state: "failed",
      reason: "service type web declares the kind Node, which is Halon's own",
    });
  });

  test("of a kind whose schema does not describe an object fails, naming what it describes", () => {
    const cluster = running();
    const { state, reason } = cluster.operation(cluster.apply(disk({ type: "string" })));
    expect(state).toBe("failed");
    expect(reason).toContain(
      'rule file mine declares the kind Disk with a schema that describes "string"',
    );
  });

  test("of one kind with two schemas fails, naming both", () => {
    const cluster = running();
    const web2 = manifest("web", { resources: { Disk: { type: "object", required: ["size"] } } });
    const { reason } = cluster.operation(cluster.apply({ ...disk({}), types: [web2] }));
    expect(reason).toBe(
      "rule file mine and service type web declare the kind Disk with different schemas",
    );
  });
});

describe("a failure", () => {
  test("of an instance that was healthy for long is followed by a start at once, in the same record", () => {
    const cluster = running();
    fail(cluster.node("a"), "web@a#1", 10_000);
    cluster.deliverEvent("a");
    expect(cluster.records.at(-1)?.decisions[0]?.firings[0]).toMatchObject({
      rule: "builtin/restart-failed",
      commands: [{ node: "a", action: { type: "StartService", instance: "web@a#2" } }],
    });
    expect(cluster.slot("web@a")).toMatchObject({ incarnation: 2, restarts: 1 });
  });

  test("soon after the start is followed by a start after a delay, and the reason can be seen", () => {
    const cluster = running();
    fail(cluster.node("a"), "web@a#1", 500);
    cluster.settle();
    expect(cluster.instance("web@a#1")).toMatchObject({
      state: "failed",
      reason: "it exited with code 1",
    });
    cluster.tick(74);
    expect(cluster.state.outbox.size).toBe(0);
    cluster.tick(51);
    expect(cluster.seen()).toEqual(["web@a#2 starting"]);
  });

  test("counted five times within a minute makes the service broken, with the reason, until a person starts it", () => {
    const cluster = running();
    for (let incarnation = 1; incarnation <= 5; incarnation += 1) {
      fail(cluster.node("a"), `web@a#${incarnation}`, 0);
      cluster.settle();
      if (incarnation < 5) cluster.tick(2_000);
      cluster.settle();
    }
    const reason = "failed 5 times within 60 s, last: it exited with code 1";
    expect(cluster.slot("web@a").broken).toBe(reason);
    expect(cluster.instance("web@a#5")).toMatchObject({ state: "broken", reason });
    expect(cluster.decided("ServiceBroken")).toHaveLength(1);
    cluster.drain();
    expect(cluster.real()).toEqual([]);
    const operation = cluster.ask("ServiceStartRequested", { service: "web" });
    cluster.settle();
    expect(cluster.real()).toEqual(["web@a#6 running"]);
    expect(cluster.operation(operation).state).toBe("done");
  });

  test("of a broken service is given new tries by new code", () => {
    const cluster = running();
    for (let incarnation = 1; incarnation <= 5; incarnation += 1) {
      fail(cluster.node("a"), `web@a#${incarnation}`, 0);
      cluster.settle();
      cluster.tick(2_000);
      cluster.settle();
    }
    const types = [manifest("web", { version: "1.0.1" })];
    cluster.apply(clusterSpec([deployment("web")], { types }));
    cluster.settle();
    expect(cluster.real()).toEqual(["web@a#6 running"]);
  });

  test("of what is not wanted any more does not count: what is wanted by now starts at once, with its own tries", () => {
    const cluster = running();
    for (let incarnation = 1; incarnation <= 4; incarnation += 1) {
      fail(cluster.node("a"), `web@a#${incarnation}`, 0);
      cluster.settle();
      cluster.tick(2_000);
      if (incarnation < 4) cluster.settle();
    }
    // Its fifth start is on its way while a person mends the configuration.
    cluster.apply(clusterSpec([deployment("web", { config: { mended: true } })]));
    refuseStart(cluster, "web@a#5");
    cluster.settle();
    expect(cluster.slot("web@a").broken).toBeUndefined();
    expect(cluster.real()).toEqual(["web@a#6 running"]);
    for (let incarnation = 6; incarnation <= 9; incarnation += 1) {
      fail(cluster.node("a"), `web@a#${incarnation}`, 0);
      cluster.settle();
      cluster.tick(2_000);
      cluster.settle();
    }
    expect(cluster.real()).toEqual(["web@a#10 running"]);
  });

  test("of an older incarnation is consumed and ignored, with the reason", () => {
    const cluster = running();
    cluster.ask("ServiceRestartRequested", { service: "web" });
    cluster.settle();
    const at = { node: "a", service: "web", instance: "web@a#1" };
    emit(cluster.node("a"), "ServiceFailed", { ...at, reason: "late", healthyMs: 0 });
    cluster.settle();
    expect(cluster.whyOf("ServiceFailed")).toBe("ignored: web@a#1 is not a current instance");
    expect(cluster.real()).toEqual(["web@a#2 running"]);
  });

  test("reported before the start it ended does not bring the instance back", () => {
    const cluster = running();
    const at = { node: "a", service: "web", instance: "web@a#1" };
    fail(cluster.node("a"), "web@a#1", 0);
    cluster.settle();
    emit(cluster.node("a"), "ServiceStarted", { ...at, configuration: hashLike("{}") });
    cluster.settle();
    expect(cluster.whyOf("ServiceStarted")).toBe("ignored: web@a#1 is failed");
    expect(cluster.seen()).toEqual(["web@a#1 failed"]);
  });

  test("to start because the name is taken shows the holder, and breaks after five tries", () => {
    const cluster = running();
    const node = cluster.node("a");
    const refuse = () => {
      const command = node.inbox.shift() ?? cluster.wires.get("a")?.shift();
      if (command === undefined) throw new Error("no start was sent");
      const { service, instance } = command.action;
      emit(node, "ServiceCouldNotStart", {
        ...{ node: "a", service, instance, command: command.id },
        ...{ code: "HAL_NAME_TAKEN", reason: "web@a#1 holds web on a", holder: "web@a#1" },
      });
    };
    const types = [manifest("web"), manifest("other", { serviceName: "web" })];
    cluster.apply(clusterSpec([deployment("web"), deployment("other")], { types }));
    for (let tries = 1; tries <= 5; tries += 1) {
      refuse();
      cluster.settle();
      cluster.tick(tries < 5 ? 1_100 : 0);
    }
    expect(cluster.slot("other@a").broken).toBe(
      "failed 5 times within 60 s, last: could not start: web@a#1 holds web on a",
    );
    expect(cluster.real()).toEqual(["web@a#1 running"]);
  });

  test("of a check makes an instance degraded, and it stays where it is", () => {
    const cluster = running();
    const at = { node: "a", service: "web", instance: "web@a#1" };
    emit(cluster.node("a"), "ServiceHealthChanged", {
      ...at,
      health: "fail",
      detail: "port closed",
    });
    cluster.settle();
    expect(cluster.instance("web@a#1")).toMatchObject({ state: "degraded", reason: "port closed" });
    emit(cluster.node("a"), "ServiceHealthChanged", { ...at, health: "ok" });
    cluster.settle();
    expect(cluster.instance("web@a#1")).toMatchObject({ state: "running", health: "ok" });
  });
});

describe("a node that is lost", () => {
  const wait = clusterSpec([deployment("web", { onNodeLoss: "wait" })]);

  test("leaves its instances unknown, and a deployment that moves starts elsewhere", () => {
    const cluster = running(web, "a", "b");
    cluster.lose("a");
    cluster.tick(300);
    cluster.settle();
    expect(cluster.seen()).toEqual(["web@a#1 unknown", "web@b#1 running"]);
    expect(cluster.decided("ServiceMoved")).toMatchObject([{ data: { from: "a", to: "b" } }]);
  });

  test("keeps a deployment that waits; back with its process, it goes on", () => {
    const types = [manifest("web", { kind: "process" })];
    const cluster = running({ ...wait, types }, "a", "b");
    cluster.lose("a");
    cluster.settle();
    expect(cluster.seen()).toEqual(["web@a#1 unknown"]);
    restartNode(cluster.node("a"));
    cluster.connect("a");
    cluster.settle();
    expect(cluster.instance("web@a#1")).toMatchObject({ state: "running", osPid: 4_711 });
  });

  test("back without its worker, it starts that again at once, and no failure is counted", () => {
    const cluster = running(wait, "a", "b");
    cluster.lose("a");
    restartNode(cluster.node("a"));
    cluster.connect("a");
    cluster.settle();
    expect(cluster.real()).toEqual(["web@a#2 running"]);
    expect(cluster.state.memories.get("builtin")?.get("failures/web@a")).toBeUndefined();
  });

  test("back with what has moved, stops the surplus and says so once", () => {
    const cluster = running(web, "a", "b");
    cluster.lose("a");
    cluster.tick(300);
    cluster.settle();
    cluster.connect("a");
    cluster.settle({ hold: ["web@a#1"] });
    cluster.cut("a");
    cluster.connect("a");
    cluster.settle();
    expect(cluster.real()).toEqual(["web@b#1 running"]);
    expect(cluster.decided("SurplusStopped")).toMatchObject([{ data: { instance: "web@a#1" } }]);
    expect(cluster.seen()).toEqual(["web@b#1 running"]);
  });

  test("starts nothing between its return and its inventory: what runs there is not known yet", () => {
    const cluster = running(wait, "a", "b");
    cluster.lose("a");
    cluster.connect("a");
    cluster.deliverEvent("a");
    cluster.apply(wait);
    expect(cluster.state.outbox.size).toBe(0);
    cluster.settle();
    expect(cluster.real()).toEqual(["web@a#1 running"]);
  });

  test("is not lost again by news of an incarnation that has come back since", () => {
    const cluster = running();
    restartNode(cluster.node("a"));
    connect(cluster.node("a"));
    cluster.settle();
    cluster.observe("NodeLost", { node: "a", incarnation: 1, reason: "late" });
    expect(cluster.state.graph.get("Node", "a")?.attributes.state).toBe("up");
  });

  test("with a service that a person stopped: it moves, and stays stopped", () => {
    const cluster = running(web, "a", "b");
    cluster.ask("ServiceStopRequested", { service: "web" });
    cluster.settle();
    cluster.lose("a");
    cluster.tick(300);
    cluster.settle();
    expect(cluster.slot("web@b").halted).toBe(true);
    expect(cluster.real()).toEqual([]);
  });

  test("restarted with a check outstanding: the dead instance is not left alone for it", () => {
    const cluster = running();
    const operation = cluster.ask("ServiceCheckRequested", { service: "web" });
    cluster.cut("a");
    restartNode(cluster.node("a"));
    cluster.connect("a");
    cluster.settle();
    expect(cluster.real()).toEqual(["web@a#2 running"]);
    expect(cluster.operation(operation)).toMatchObject({
      state: "failed",
      reason: "web@a#1 ended before it answered",
    });
  });
});

describe("operations", () => {
  test("stop ends done when nothing runs any more, and stays so; start takes it back", () => {
    const cluster = running();
    const stop = cluster.ask("ServiceStopRequested", { service: "web", on: "a" });
    expect(cluster.operation(stop).state).toBe("running");
    cluster.settle();
    expect(cluster.operation(stop).state).toBe("done");
    cluster.apply(web);
    cluster.settle();
    expect(cluster.seen()).toEqual(["web@a#1 stopped"]);
    const start = cluster.ask("ServiceStartRequested", { service: "web" });
    cluster.settle();
    expect(cluster.operation(start).state).toBe("done");
    expect(cluster.real()).toEqual(["web@a#2 running"]);
  });

  test("stop of a service that waits for its restart takes the restart back", () => {
    const cluster = running();
    fail(cluster.node("a"), "web@a#1", 0);
    cluster.settle();
    const stop = cluster.ask("ServiceStopRequested", { service: "web" });
    expect(cluster.operation(stop).state).toBe("done");
    cluster.drain();
    expect(cluster.seen()).toEqual(["web@a#1 stopped"]);
  });

  test("stop takes back a start that is not answered: it must not come to the node after the stop", () => {
    const cluster = new TestCluster();
    cluster.addNode("a");
    cluster.settle();
    cluster.apply(web);
    const waiting = () => cluster.state.outbox.of("a").map(({ action }) => action.type);
    expect(waiting()).toEqual(["StartService"]);
    cluster.ask("ServiceStopRequested", { service: "web" });
    expect(waiting()).toEqual(["StopService"]);
    cluster.settle();
    expect(cluster.real()).toEqual([]);
  });

  test("restart ends done with the next incarnation", () => {
    const cluster = running();
    const restart = cluster.ask("ServiceRestartRequested", { service: "web" });
    expect(cluster.operation(restart).waiting).toEqual(["web@a#2"]);
    cluster.settle();
    expect(cluster.operation(restart).state).toBe("done");
    expect(cluster.real()).toEqual(["web@a#2 running"]);
  });

  test.each([
    { type: "ServiceCheckRequested", answer: { health: "ok" } },
    { type: "ServiceStatusRequested", answer: { report: { requests: 3 } } },
  ])("$type ends done with the answers", ({ type, answer }) => {
    const cluster = running();
    const operation = cluster.ask(type, { service: "web" });
    cluster.settle();
    expect(cluster.operation(operation)).toMatchObject({
      state: "done",
      answers: { "web@a#1": answer },
    });
  });

  test("configure ends done when the service has taken it, not before", () => {
    const cluster = running();
    const operation = cluster.ask("ConfigurationRequested", { service: "web", ...port(1) });
    expect(cluster.operation(operation).state).toBe("running");
    cluster.settle();
    expect(cluster.operation(operation).state).toBe("done");
    expect(cluster.node("a").running["web@a#1"]?.configHash).toBe(port(1).configHash);
  });

  test("configure of a service that cannot take it restarts that one, and no other", () => {
    const cluster = running(clusterSpec([deployment("web"), deployment("db")]));
    cluster.node("a").stiff.push("web");
    cluster.ask("ConfigurationRequested", { service: "db", ...port(2) });
    const operation = cluster.ask("ConfigurationRequested", { service: "web", ...port(1) });
    cluster.settle();
    expect(cluster.operation(operation).state).toBe("done");
    expect(cluster.real()).toEqual(["db@a#1 running", "web@a#2 running"]);
    expect(cluster.node("a").running["web@a#2"]?.configHash).toBe(port(1).configHash);
  });

  test.each(["Start", "Stop", "Restart", "Check", "Status"])(
    "%s of what is not wanted fails with the reason",
    (verb) => {
      const cluster = running();
      const operation = cluster.ask(`Service${verb}Requested`, { service: "db", on: "a" });
      expect(cluster.operation(operation)).toMatchObject({
        state: "failed",
        reason: expect.stringMatching(/^db is not wanted on a/),
      });
    },
  );

  test("that nothing answers fail at their deadline, and say what they waited for", () => {
    const cluster = running(clusterSpec([deployment("web", { onNodeLoss: "wait" })]));
    cluster.lose("a");
    const operation = cluster.ask("ServiceRestartRequested", { service: "web" });
    cluster.tick(120_000);
    expect(cluster.operation(operation)).toMatchObject({
      state: "failed",
      reason: "timed out waiting for web@a#2",
    });
  });

  test("of a service that breaks fail with its reason", () => {
    const cluster = running();
    for (let incarnation = 1; incarnation <= 4; incarnation += 1) {
      fail(cluster.node("a"), `web@a#${incarnation}`, 0);
      cluster.settle();
      cluster.tick(2_000);
      if (incarnation < 4) cluster.settle();
    }
    const operation = cluster.apply(web);
    refuseStart(cluster, "web@a#5");
    cluster.settle();
    expect(cluster.operation(operation)).toMatchObject({ state: "failed" });
    expect(cluster.operation(operation).reason).toContain("web@a is broken: failed 5 times");
  });
});

describe("a command without the answer it should have", () => {
  test("a start that expires is stopped, to be sure, and then done again", () => {
    const cluster = new TestCluster();
    cluster.addNode("a");
    cluster.settle();
    cluster.apply(web);
    cluster.deliverCommand("a");
    begin(cluster.node("a"));
    cluster.tick(15_000);
    expect(cluster.instance("web@a#1").state).toBe("stopping");
    cluster.settle();
    expect(cluster.real()).toEqual(["web@a#2 running"]);
  });

  test("a stop that expires is sent again", () => {
    const cluster = running();
    cluster.ask("ServiceStopRequested", { service: "web" });
    cluster.wires.set("a", []);
    cluster.tick(15_000);
    expect(cluster.state.outbox.of("a").map(({ action }) => action.type)).toEqual(["StopService"]);
    cluster.settle();
    expect(cluster.seen()).toEqual(["web@a#1 stopped"]);
  });

  test("a stop that is refused is sent again after a second", () => {
    const cluster = running();
    cluster.node("a").epoch = 9;
    cluster.ask("ServiceStopRequested", { service: "web" });
    cluster.settle();
    expect([cluster.seen(), cluster.state.outbox.size]).toEqual([["web@a#1 stopping"], 0]);
    cluster.epoch = 10;
    cluster.tick(1_000);
    cluster.settle();
    expect(cluster.seen()).toEqual(["web@a#1 stopped"]);
  });

  test("a start that is refused as stale is not taken for a failure", () => {
    const cluster = new TestCluster();
    cluster.addNode("a").epoch = 9;
    cluster.settle();
    cluster.apply(web);
    cluster.settle();
    cluster.epoch = 10;
    cluster.drain();
    expect(cluster.real()).toEqual(["web@a#2 running"]);
    expect(cluster.slot("web@a").restarts).toBe(0);
  });

  test.each([
    { what: "expires", happens: (cluster: TestCluster) => cluster.tick(10_000), reason: "in time" },
    {
      what: "is refused",
      happens: (cluster: TestCluster) => {
        cluster.node("a").epoch = 9;
        cluster.settle();
      },
      reason: "a later epoch",
    },
  ])("a check that $what fails its operation", ({ happens, reason }) => {
    const cluster = running();
    const operation = cluster.ask("ServiceCheckRequested", { service: "web" });
    happens(cluster);
    expect(cluster.operation(operation).state).toBe("failed");
    expect(cluster.operation(operation).reason).toContain(reason);
  });
});

describe("resources that an instance holds", () => {
  const types = [manifest("web", { resources: { TcpPort: { type: "object" } } })];
  const spec = clusterSpec([deployment("web", { on: "every-node" })], { types });
  const acquire = (cluster: TestCluster, node: string, kind = "TcpPort") => {
    const at = { node, service: "web", instance: `web@${node}#1` };
    emit(cluster.node(node), "ResourceAcquired", { ...at, kind, id: "80", attributes: {} });
    cluster.settle();
  };
  const held = (cluster: TestCluster) => cluster.state.graph.list<string>("TcpPort").length;

  test("are its alone, and are freed when it ends", () => {
    const cluster = running(spec, "a", "b");
    acquire(cluster, "a");
    acquire(cluster, "b");
    expect(cluster.whyOf("ResourceAcquired")).toBe("refused: TcpPort 80 is held by web@a#1");
    fail(cluster.node("a"), "web@a#1", 0);
    cluster.settle();
    expect(held(cluster)).toBe(0);
    acquire(cluster, "a");
    expect(cluster.whyOf("ResourceAcquired")).toBe("ignored: web@a#1 is failed");
  });

  test("are only of kinds that its type declares", () => {
    const cluster = running(spec);
    acquire(cluster, "a", "Lock");
    expect(cluster.whyOf("ResourceAcquired")).toContain("does not declare resources of kind Lock");
  });
});

test("a replacement waits for the end of the old one on its node", () => {
  const cluster = running();
  const types = [manifest("web", { version: "2.0.0" })];
  cluster.apply(clusterSpec([deployment("web")], { types }));
  cluster.settle({ hold: ["web@a#1"] });
  expect(cluster.real()).toEqual(["web@a#1 stopping"]);
  expect(cluster.seen()).toEqual(["web@a#1 stopping"]);
  finish(cluster.node("a"), "web@a#1");
  cluster.settle();
  expect(cluster.real()).toEqual(["web@a#2 running"]);
});
