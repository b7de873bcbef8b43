import {
  type CoordinatorState,
  emptyState,
  type Input,
  type RuleSet,
  type Stamp,
  step,
} from "@halon/coordinator/core";
import { type Command, canonicalJson, type Json } from "@halon/protocol";
import {
  clusterSpec,
  deployment,
  hashLike,
  manifest,
} from "../../packages/coordinator/testdata/samples.ts";
import {
  begin,
  connect,
  createNode,
  emit,
  fail,
  finish,
  type NodeData,
  restartNode,
} from "../../packages/coordinator/testdata/scripted-node.ts";
import { oneOf, pick, type Random, seeded } from "./prng.ts";

/** What one call of `step` was given. */
export interface Batch {
  readonly inputs: readonly Input[];
  readonly stamp: Stamp;
}

/** A life of a cluster: all that came in, and the decision log that came of it, one canonical text a record. */
export interface History {
  readonly seed: number;
  readonly batches: readonly Batch[];
  readonly log: readonly string[];
}

/** How often something may happen in one history; a turn is one batch of inputs. */
const turns = 15;

/** Lets a coordinator live with three scripted nodes; the seed decides all that happens. */
export function makeHistory(seed: number, rules: RuleSet): History & { state: CoordinatorState } {
  const life = new Life(seed, rules);
  life.begin();
  for (let turn = 0; turn < turns; turn += 1) life.turn();
  return life;
}

class Life {
  readonly seed: number;
  readonly state = emptyState();
  readonly batches: Batch[] = [];
  readonly log: string[] = [];
  readonly #random: Random;
  readonly #rules: RuleSet;
  readonly #nodes = ["a", "b", "c"].map((name, at) =>
    createNode(name, { zone: at === 0 ? "İstanbul" : "Kathmandu" }),
  );
  #logTime = 0;
  #epoch = 1;
  #observed = 0;
  #asked = 0;

  constructor(seed: number, rules: RuleSet) {
    this.seed = seed;
    this.#random = seeded(seed);
    this.#rules = rules;
  }

  begin(): void {
    this.#take([this.#seen("ClusterCreated", { cluster: "c1", name: "İyi" })]);
    for (const node of this.#nodes) connect(node);
    this.#take([this.#asks("ClusterApplied", { spec: this.#spec() })]);
  }

  turn(): void {
    const inputs: Input[] = [];
    const random = this.#random;
    this.#logTime += oneOf(random, [0, 1, 5, 40, 200, 2_000]);
    for (const node of this.#nodes) this.#live(node);
    if (random() < 0.3) inputs.push(this.#request());
    if (random() < 0.02) this.#epoch += 1;
    const node = oneOf(random, this.#nodes);
    if (!node.isLinked && random() < 0.5) {
      const data = { node: node.name, incarnation: node.incarnation, reason: "silent" };
      inputs.push(this.#seen("NodeSuspected", data), this.#seen("NodeLost", data));
    }
    for (const each of this.#nodes) inputs.push(...this.#send(each));
    this.#take(inputs);
  }

  /** The node does something of what it could do. */
  #live(node: NodeData): void {
    const random = this.#random;
    while (node.inbox.length > 0 && random() < 0.8) begin(node);
    for (const { instance, state, service } of Object.values(node.running)) {
      if (state !== "running" && random() < 0.7) finish(node, instance);
      else if (random() < 0.12) fail(node, instance, oneOf(random, [0, 300, 20_000]));
      else if (state === "running" && random() < 0.1) {
        const health = oneOf(random, ["ok", "warn", "fail"]);
        emit(node, "ServiceHealthChanged", { node: node.name, service, instance, health });
      }
    }
    if (node.isLinked && random() < 0.06) node.isLinked = false;
    else if (!node.isLinked && random() < 0.5) {
      if (random() < 0.4) restartNode(node);
      while (node.inbox.length > 0) begin(node);
      connect(node);
      node.inbox.push(...structuredClone(this.state.outbox.of(node.name)));
    }
  }

  #send(node: NodeData): Input[] {
    if (!node.isLinked) return [];
    const count = pick(this.#random, node.events.length + 1);
    return node.events.splice(0, count).map(({ sequence, type, data }) => ({
      type: "numbered" as const,
      source: `node/${node.name}`,
      incarnation: node.incarnation,
      sequence,
      event: { type, version: 1, data },
    }));
  }

  #request(): Input {
    const random = this.#random;
    const service = oneOf(random, ["web", "db", "log", "nobody"]);
    const on = random() < 0.3 ? { on: oneOf(random, this.#nodes).name } : {};
    const verb = oneOf(random, ["Start", "Stop", "Restart", "Check", "Status"]);
    if (random() < 0.25) return this.#asks("ClusterApplied", { spec: this.#spec() });
    if (random() < 0.2) return this.#note();
    return this.#asks(`Service${verb}Requested`, { service, ...on });
  }

  #note(): Input {
    const names = ["z", "I", "ı", "i", "İ", "10", "9", "ä"];
    const chosen = names.filter(() => this.#random() < 0.5);
    const tags = Object.fromEntries(chosen.map((name) => [name, pick(this.#random, 9)]));
    this.#asked += 1;
    const event = { type: "Noted", version: 1, data: { tags } };
    return { type: "client", id: `note-${this.#asked}`, event };
  }

  #spec(): Json {
    const random = this.#random;
    const port = pick(random, 3);
    const resources = { TcpPort: { type: "object" }, Lock: { type: "object" } };
    const types = [
      manifest("web", { version: oneOf(random, ["1.0.0", "1.1.0"]), resources }),
      manifest("db", { kind: "process" }),
      manifest("log"),
    ];
    const deployments = [
      deployment("web", {
        replicas: 1 + pick(random, 3),
        config: { port, İ: { ı: 1, I: 2 } },
        configHash: hashLike(`port ${port}`),
      }),
      deployment("db", { on: { label: "zone=İstanbul" }, onNodeLoss: "wait" }),
      deployment("log", { on: "every-node" }),
    ].filter(() => random() < 0.9);
    return clusterSpec(deployments, { types, prune: random() < 0.5 }) as unknown as Json;
  }

  #asks(type: string, data: { readonly [key: string]: Json }): Input {
    this.#asked += 1;
    const operation = `op-${this.#asked}`;
    return {
      type: "client",
      id: operation,
      event: { type, version: 1, data: { operation, ...data } },
    };
  }

  #seen(type: string, data: Json): Input {
    this.#observed += 1;
    const event = { type, version: 1, data };
    return {
      type: "numbered",
      source: "tracking",
      incarnation: 1,
      sequence: this.#observed,
      event,
    };
  }

  #take(inputs: readonly Input[]): void {
    const wallTime = 1_700_000_000_000 + this.#logTime;
    const stamp = { epoch: this.#epoch, logTime: this.#logTime, wallTime };
    this.batches.push(structuredClone({ inputs, stamp }));
    const { record, commands } = step(this.state, this.#rules, inputs, stamp);
    if (record !== undefined) this.log.push(canonicalJson(record));
    for (const command of commands) this.#wire(command);
  }

  #wire(command: Command): void {
    const node = this.#nodes.find(({ name }) => name === command.node);
    if (node?.isLinked === true) node.inbox.push(structuredClone(command));
  }
}
