import {
  type ClusterSpec,
  type Command,
  compareText,
  type DecisionRecord,
  type Json,
} from "@halon/protocol";
import { indexRules, type Rules } from "@halon/rules";
import {
  builtInRules,
  type CoordinatorState,
  emptyState,
  type Input,
  type Reply,
  type RuleSet,
  type StepResult,
  step,
} from "../src/core/index.ts";
import { alertLevels } from "./alert-levels.ts";
import { begin, connect, createNode, finish, type NodeData, underWay } from "./scripted-node.ts";

/** The built-in rules, and rule files after them. */
export function ruleSet(files: Readonly<Record<string, Rules>> = {}): RuleSet {
  const others = Object.entries(files).map(([name, rules]) => ({ name, rules }));
  const declared = others.flatMap(({ rules }) =>
    rules.events.map((event) => [event.type, event] as const),
  );
  return {
    index: indexRules([{ name: "builtin", rules: builtInRules }, ...others]),
    declared: new Map(declared),
  };
}

/** A coordinator's core and scripted nodes, moved by the test alone. */
export class TestCluster {
  readonly state: CoordinatorState = emptyState();
  readonly records: DecisionRecord[] = [];
  readonly nodes = new Map<string, NodeData>();
  /** Commands on their way to each node. */
  readonly wires = new Map<string, Command[]>();
  rules: RuleSet;
  now = 1_000;
  epoch = 1;
  #observed = 0;
  /** Under which epoch so many observations were made. */
  #observer = 1;
  #asked = 0;

  constructor(files: Readonly<Record<string, Rules>> = {}) {
    this.rules = ruleSet(files);
    this.observe("ClusterCreated", { cluster: "c1", name: "test" });
  }

  take(...inputs: readonly Input[]): StepResult {
    const stamp = { epoch: this.epoch, logTime: this.now, wallTime: 1_700_000_000_000 + this.now };
    const result = step(this.state, this.rules, inputs, stamp);
    if (result.record !== undefined) this.records.push(result.record);
    const { wanted, standing } = alertLevels(this.state.graph);
    if (standing.join() !== wanted.join())
      throw new Error(`the alerts ${standing} stand, and not ${wanted}`);
    for (const command of result.commands) {
      if (this.nodes.get(command.node)?.isLinked) this.wires.get(command.node)?.push(command);
    }
    return result;
  }

  observe(type: string, data: Json): Reply | undefined {
    if (this.#observer !== this.epoch) this.#observed = 0;
    this.#observer = this.epoch;
    this.#observed += 1;
    return this.take({
      type: "numbered",
      source: "tracking",
      incarnation: this.epoch,
      sequence: this.#observed,
      event: { type, version: 1, data },
    }).replies[0];
  }

  /** What a client asks for; the id of its operation comes back. */
  ask(type: string, data: { readonly [key: string]: Json }): string {
    this.#asked += 1;
    const operation = `op-${this.#asked}`;
    this.emit(type, { operation, ...data });
    return operation;
  }

  emit(type: string, data: Json): Reply | undefined {
    const id = `client-${this.#asked}-${this.state.index}`;
    return this.take({ type: "client", id, event: { type, version: 1, data } }).replies[0];
  }

  apply(spec: ClusterSpec): string {
    return this.ask("ClusterApplied", { spec: spec as unknown as Json });
  }

  addNode(name: string, labels: Readonly<Record<string, string>> = {}): NodeData {
    const node = createNode(name, labels);
    this.nodes.set(name, node);
    this.wires.set(name, []);
    this.connect(name);
    return node;
  }

  node(name: string): NodeData {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }

  connect(name: string): void {
    connect(this.node(name));
    this.wires.set(name, [...this.state.outbox.of(name)]);
  }

  /** What was on its way is lost. */
  cut(name: string): void {
    this.node(name).isLinked = false;
    this.wires.set(name, []);
  }

  lose(name: string): void {
    const { incarnation } = this.node(name);
    this.cut(name);
    const data = { node: name, incarnation, reason: "silent for 2.5 s" };
    this.observe("NodeSuspected", data);
    this.observe("NodeLost", data);
  }

  deliverCommand(name: string): void {
    const command = this.wires.get(name)?.shift();
    if (command !== undefined) this.node(name).inbox.push(structuredClone(command));
  }

  /** The oldest event that the coordinator has not acknowledged. */
  deliverEvent(name: string): Reply | undefined {
    const node = this.node(name);
    const [event] = node.events;
    if (event === undefined || !node.isLinked) return undefined;
    const { sequence, type, data } = event;
    const [reply] = this.take({
      type: "numbered",
      source: `node/${name}`,
      incarnation: node.incarnation,
      sequence,
      event: { type, version: 1, data },
    }).replies;
    node.events.shift();
    return reply;
  }

  /** Time passes; timers that are due fire. */
  tick(ms: number): void {
    this.now += ms;
    this.take();
  }

  /** Everything that is on its way arrives, and starts and stops end; no time passes. */
  settle(options: { readonly hold?: readonly string[] } = {}): void {
    for (let rounds = 0; this.#settleOnce(options.hold ?? []); rounds += 1) {
      if (rounds > 1_000) throw new Error("the cluster does not come to rest");
    }
  }

  /** Like `settle`, and time passes until no timer is left. */
  drain(): void {
    for (let rounds = 0; rounds < 1_000; rounds += 1) {
      this.settle();
      const timer = this.state.timers.first();
      if (timer === undefined) return;
      this.now = Math.max(this.now, timer.due);
      this.take();
    }
    throw new Error("timers never end");
  }

  #settleOnce(hold: readonly string[]): boolean {
    let hasMoved = false;
    for (const [name, node] of this.nodes) {
      while (node.isLinked && (this.wires.get(name)?.length ?? 0) > 0) {
        this.deliverCommand(name);
        hasMoved = true;
      }
      while (node.inbox.length > 0) {
        begin(node);
        hasMoved = true;
      }
      for (const { instance } of underWay(node).filter((each) => !hold.includes(each.instance))) {
        finish(node, instance);
        hasMoved = true;
      }
      while (node.isLinked && node.events.length > 0) {
        this.deliverEvent(name);
        hasMoved = true;
      }
    }
    return hasMoved;
  }

  /** `web@a#1 running` of everything the graph says lives or waits. */
  seen(): string[] {
    return this.state.graph
      .list("ServiceInstance")
      .map(({ id, attributes }) => `${id} ${attributes.state}`);
  }

  /** What really runs, in the same words. */
  real(): string[] {
    return [...this.nodes.values()]
      .flatMap((node) => Object.values(node.running))
      .map(({ instance, state }) => `${instance} ${state}`)
      .sort(compareText);
  }

  slot(id: string) {
    const slot = this.state.graph.get("ServiceName", id);
    if (slot === undefined) throw new Error(`there is no slot ${id}`);
    return slot.attributes;
  }

  instance(id: string) {
    const instance = this.state.graph.get("ServiceInstance", id);
    if (instance === undefined) throw new Error(`there is no instance ${id}, only ${this.seen()}`);
    return instance.attributes;
  }

  operation(id: string) {
    const operation = this.state.graph.get("Operation", id);
    if (operation === undefined) throw new Error(`there is no operation ${id}`);
    return operation.attributes;
  }

  /** Types of all events decided, in order; those that rules published are among them. */
  decided(type?: string) {
    const events = this.records.flatMap((record) => record.decisions.map(({ event }) => event));
    return type === undefined ? events : events.filter((event) => event.type === type);
  }

  /** Why the rules did what they did with the latest event of the type. */
  whyOf(type: string): string {
    const decisions = this.records.flatMap((record) => record.decisions);
    const decision = decisions.findLast(({ event }) => event.type === type);
    return decision?.firings.map(({ why }) => why).join(" | ") ?? "";
  }
}
