import type {
  ClusterSpec,
  Command,
  EventEnvelope,
  Firing,
  Json,
  JsonObject,
  ServiceManifest,
} from "@halon/protocol";
import type { Rules } from "@halon/rules";
import { firstDue } from "../../packages/coordinator/src/core/state.ts";
import {
  clusterSpec,
  deployment,
  hashLike,
  manifest,
} from "../../packages/coordinator/testdata/samples.ts";
import {
  begin,
  emit,
  fail,
  finish,
  type NodeData,
  type Running,
  restartNode,
  type SentEvent,
  underWay,
} from "../../packages/coordinator/testdata/scripted-node.ts";
import { TestCluster } from "../../packages/coordinator/testdata/test-cluster.ts";
import { ruleFileManifest } from "./rule-file.ts";

type Deployment = ClusterSpec["deployments"][number];

/** A service of the stage: what its cluster file says of it, and of its type. */
export type ServiceOf = Partial<Deployment> & { readonly manifest?: Partial<ServiceManifest> };

/** What there is before a scenario begins. */
export interface Setting {
  /** Names, with spaces between them; `a/rack=1` has a label. Default: `a`. */
  readonly nodes?: string;
  /** By name. All of them run when the scenario begins, as far as they have a place. */
  readonly services?: Readonly<Record<string, ServiceOf>>;
  /** Rule files, by name. */
  readonly files?: Readonly<Record<string, Rules>>;
  readonly policy?: NonNullable<ClusterSpec["nodes"]>;
  /** Whether all that is on its way arrives after each step, and starts and stops end. Default: true. */
  readonly settles?: boolean;
}

/**
 * What happens next: ms that pass, one of `verbs` with its words, an event with its data, or whatever the function does.
 */
export type Step = number | string | readonly [type: string, data: Json] | ((stage: Stage) => void);

/** The core of a coordinator and scripted nodes, moved by the steps of one scenario. */
export class Stage {
  readonly cluster: TestCluster;
  readonly #settles: boolean;
  readonly #held = new Set<string>();
  readonly #sick = new Set<string>();
  #watchedFrom = 0;

  constructor(setting: Setting) {
    const { nodes = "a", services = {}, files = {}, policy, settles = true } = setting;
    this.cluster = new TestCluster(files);
    this.#settles = settles;
    for (const name of nodes.split(" ")) this.#addNode(name);
    this.cluster.settle();
    this.apply(services, {
      rules: Object.entries(files).map(([name, rules]) => ruleFileManifest(name, rules)),
      ...(policy === undefined ? {} : { nodes: policy }),
    });
    this.cluster.settle();
    this.watch();
  }

  /** Gives the cluster these services and no others. */
  apply(services: Readonly<Record<string, ServiceOf>>, more: Partial<ClusterSpec> = {}): void {
    const deployments = Object.entries(services).map(([name, { manifest: _, ...given }]) =>
      deployment(name, given),
    );
    const types = Object.entries(services).map(([name, given]) =>
      manifest(given.type ?? name, given.manifest),
    );
    this.cluster.apply(clusterSpec(deployments, { types, ...more }));
  }

  /** Only what happens from here on is looked at. */
  watch(): void {
    this.#watchedFrom = this.cluster.records.length;
  }

  play(steps: readonly Step[]): void {
    for (const step of steps) {
      if (typeof step === "number") this.pass(step);
      else if (typeof step === "function") step(this);
      else if (typeof step === "string") this.#do(step);
      else this.cluster.emit(step[0], step[1]);
      if (this.#settles) this.settle();
    }
  }

  /** Time passes; what is due is decided when it is, and with what it leads to. */
  pass(ms: number): void {
    const { cluster } = this;
    const until = cluster.now + ms;
    for (let due = firstDue(cluster.state); due <= until; due = firstDue(cluster.state)) {
      cluster.now = Math.max(cluster.now, due);
      cluster.take();
      if (this.#settles) this.settle();
    }
    cluster.now = until;
    cluster.take();
  }

  settle(): void {
    for (let rounds = 0; this.#settleOnce(); rounds += 1)
      if (rounds > 1_000) throw new Error("the cluster does not come to rest");
  }

  #settleOnce(): boolean {
    let hasMoved = false;
    for (const [name, node] of this.cluster.nodes) {
      while (node.isLinked && (this.cluster.wires.get(name)?.length ?? 0) > 0)
        this.cluster.deliverCommand(name);
      while (node.inbox.length > 0) {
        begin(node);
        node.events = node.events.map((event) => this.#asSick(event));
      }
      const ends = underWay(node).filter(({ instance }) => !this.#held.has(instance));
      for (const { instance } of ends) finish(node, instance);
      hasMoved ||= node.isLinked && node.events.length > 0;
      this.hear(name);
    }
    return hasMoved;
  }

  /** What a check of a sick service answers. */
  #asSick(event: SentEvent): SentEvent {
    const { service } = event.data as { readonly service?: string };
    if (event.type !== "ServiceChecked" || !this.#sick.has(service ?? "")) return event;
    return { ...event, data: { ...(event.data as JsonObject), health: "fail" } };
  }

  /** From now on checks of the service fail, or do not. */
  makeSick(service: string, isSick: boolean): void {
    if (isSick) this.#sick.add(service);
    else this.#sick.delete(service);
  }

  get firings(): readonly Firing[] {
    return this.#decisions.flatMap(({ firings }) => firings);
  }

  get commands(): readonly Command[] {
    return this.firings.flatMap(({ commands }) => commands);
  }

  get published(): readonly EventEnvelope[] {
    return this.firings.flatMap(({ published }) => published);
  }

  get failures(): readonly EventEnvelope[] {
    return this.cluster.decided("RuleFailed");
  }

  /** What runs at a place such as `web@a`, or is on its way there. */
  running(place: string): { readonly node: NodeData; readonly running: Running } {
    const [service = "", name = ""] = place.split("@");
    const node = this.cluster.node(name);
    const running = Object.values(node.running).find((each) => each.service === service);
    if (running === undefined) throw new Error(`nothing of ${service} runs on ${name}`);
    return { node, running };
  }

  /** The node tells something; the coordinator hears it at once. */
  report(node: string, type: string, data: JsonObject): void {
    emit(this.cluster.node(node), type, { node, ...data });
    this.hear(node);
  }

  /** The node tells of what runs there. */
  tell(place: string, type: string, data: JsonObject = {}): void {
    const { node, running } = this.running(place);
    const { service, instance } = running;
    this.report(node.name, type, { service, instance, ...data });
  }

  hear(node: string): void {
    while (this.cluster.node(node).isLinked && this.cluster.node(node).events.length > 0)
      this.cluster.deliverEvent(node);
  }

  hold(instance: string, isHeld: boolean): void {
    if (isHeld) this.#held.add(instance);
    else this.#held.delete(instance);
  }

  get #decisions() {
    return this.cluster.records.slice(this.#watchedFrom).flatMap(({ decisions }) => decisions);
  }

  #addNode(text: string): void {
    const [name = "", ...labels] = text.split("/");
    this.cluster.addNode(name, Object.fromEntries(labels.map((label) => label.split("="))));
  }

  #do(text: string): void {
    const [verb = "", ...words] = text.split(" ");
    const work = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (work === undefined) throw new Error(`there is no step "${text}"`);
    work(this, ...words);
  }

  /** A node that was not there before. */
  join(text: string): void {
    this.#addNode(text);
    this.hear(text.split("/")[0] ?? "");
  }
}

type Verb = (stage: Stage, ...words: string[]) => void;

const ask =
  (type: string): Verb =>
  ({ cluster }, service = "", on) =>
    void cluster.ask(type, { service, ...(on === undefined ? {} : { on }) });

const askNode =
  (type: string, more: JsonObject = {}): Verb =>
  ({ cluster }, node = "") =>
    void cluster.ask(type, { node, ...more });

const health =
  (state: string): Verb =>
  (stage, place = "") =>
    stage.tell(place, "ServiceHealthChanged", { health: state, detail: `it is ${state}` });

const observe =
  (type: string): Verb =>
  ({ cluster }, node = "") => {
    const { incarnation } = cluster.node(node);
    cluster.observe(type, { node, incarnation, reason: "so it seems" });
  };

/** What a step may say. Places are `service@node`. */
const verbs: Readonly<Record<string, Verb>> = {
  watch: (stage) => stage.watch(),
  settle: (stage) => stage.settle(),
  // Services.
  fail: (stage, place = "", healthyMs = "0") => {
    const { node, running } = stage.running(place);
    fail(node, running.instance, Number(healthyMs));
    stage.hear(node.name);
  },
  exit: (stage, place = "") => {
    const { node, running } = stage.running(place);
    stage.tell(place, "ServiceExited", { reason: "it is done" });
    delete node.running[running.instance];
  },
  ready: (stage, place = "") => {
    const { node, running } = stage.running(place);
    finish(node, running.instance);
    stage.hear(node.name);
  },
  ok: health("ok"),
  warn: health("warn"),
  ill: health("fail"),
  sicken: (stage, service = "") => stage.makeSick(service, true),
  cure: (stage, service = "") => stage.makeSick(service, false),
  hold: (stage, instance = "") => stage.hold(instance, true),
  release: (stage, instance = "") => stage.hold(instance, false),
  // Requests of people.
  start: ask("ServiceStartRequested"),
  stop: ask("ServiceStopRequested"),
  restart: ask("ServiceRestartRequested"),
  check: ask("ServiceCheckRequested"),
  status: ask("ServiceStatusRequested"),
  drain: askNode("NodeDrainRequested"),
  resume: askNode("NodeResumeRequested"),
  maintain: askNode("NodeMaintenanceRequested", { on: true }),
  unmaintain: askNode("NodeMaintenanceRequested", { on: false }),
  remove: askNode("NodeRemoveRequested"),
  reset: ({ cluster }) => void cluster.ask("BreakerResetRequested", {}),
  cancel: ({ cluster }, rule = "", key = "") =>
    void cluster.emit("JobCancelRequested", { rule, key, reason: "a person said so" }),
  /** The program that the node runs ends: `done`, `failed`, … */
  ran: (stage, name = "", program = "", outcome = "done") => {
    const command = stage.cluster.state.outbox
      .of(name)
      .find(({ action }) => action.type === "RunProgram" && action.name === program);
    if (command === undefined) throw new Error(`${name} does not run ${program}`);
    const data = { node: name, command: command.id, outcome, output: "" };
    emit(stage.cluster.node(name), "ProgramEnded", data);
    stage.hear(name);
  },
  // Nodes.
  join: (stage, node = "") => stage.join(node),
  suspect: observe("NodeSuspected"),
  trust: observe("NodeTrusted"),
  lose: ({ cluster }, node = "") => cluster.lose(node),
  cut: ({ cluster }, node = "") => cluster.cut(node),
  back: (stage, node = "") => {
    stage.cluster.connect(node);
    stage.hear(node);
  },
  reboot: (stage, node = "") => {
    restartNode(stage.cluster.node(node));
    stage.cluster.connect(node);
    stage.hear(node);
  },
  leave: (stage, name = "") => {
    const node = stage.cluster.node(name);
    emit(node, "NodeLeft", { node: name, incarnation: node.incarnation });
    stage.hear(name);
    stage.cluster.cut(name);
  },
};

/** The configuration of a service that is like no other. */
export function configured(value: JsonObject) {
  return { config: value, configHash: hashLike(JSON.stringify(value)) };
}
