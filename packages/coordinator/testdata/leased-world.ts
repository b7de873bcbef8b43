import { compareText } from "@halon/protocol";
import { grantable } from "../src/core/leases.ts";
import {
  begin,
  emit,
  fail,
  finish,
  type NodeData,
  restartNode,
  underWay,
} from "./scripted-node.ts";
import { TestCluster } from "./test-cluster.ts";

/** What the clock of a node may show less than that of the leader, for the length of a lease. */
const slowClock = 1.04;
const stepMs = 100;
const renewMs = 500;

interface Lease {
  readonly token: number;
  readonly leaseMs: number;
  /** In the leader's time. */
  until: number;
}

/**
 * A test cluster whose nodes run exclusive instances as real ones do: a start waits for its lease, what is not renewed
 * ends, and the leader tells how old its last grant to a lost node is.
 */
export class LeasedWorld {
  readonly cluster = new TestCluster();
  /** By instance. */
  readonly leases = new Map<string, Lease>();
  /** Leased instances that ran at the same time as another one, at any moment so far. */
  readonly overlaps: string[] = [];
  /** Of the leader that leads now. */
  readonly #grants = new Map<string, number>();
  #takeoverAt = this.cluster.now;

  /** The leader has observed that the node is silent. */
  lose(name: string): void {
    const { cluster } = this;
    cluster.cut(name);
    const { incarnation } = cluster.node(name);
    const leaseAgeMs = Math.floor(cluster.now - (this.#grants.get(name) ?? this.#takeoverAt));
    const data = { node: name, incarnation, reason: "silent", leaseAgeMs };
    cluster.observe("NodeSuspected", { node: name, incarnation, reason: "silent" });
    cluster.observe("NodeLost", data);
  }

  /** Another leads from the durable records on; all nodes have to attach to it. */
  takeOver(): void {
    this.cluster.epoch += 1;
    this.#takeoverAt = this.cluster.now;
    this.#grants.clear();
    for (const name of this.cluster.nodes.keys()) this.cluster.cut(name);
  }

  /** `halond` ends and starts again; what a keeper holds goes on. */
  restart(name: string): void {
    this.cluster.cut(name);
    restartNode(this.cluster.node(name));
  }

  /** The node says that it leaves; it stops what runs there after that. */
  leave(name: string): void {
    const node = this.cluster.node(name);
    if (!node.isLinked) return;
    emit(node, "NodeLeft", { node: name, incarnation: node.incarnation });
  }

  connect(name: string): void {
    if (!this.cluster.node(name).isLinked) this.cluster.connect(name);
  }

  /** Begins the oldest command received; a leased start that cannot ask the leader waits. */
  begin(name: string): void {
    const node = this.cluster.node(name);
    const action = node.inbox[0]?.action;
    const isNew = !node.begun.includes(node.inbox[0]?.id ?? "");
    if (action?.type !== "StartService" || action.lease === undefined || !isNew) {
      begin(node);
      return;
    }
    if (!node.isLinked) return;
    const { token, leaseMs } = action.lease;
    const { instance } = action;
    const isGranted = this.#grant(node, instance, { token, leaseMs, until: 0 });
    begin(node);
    if (!isGranted) fail(node, instance);
    const running = this.running();
    if (running.length > 1) this.overlaps.push(running.join(" and "));
  }

  /** Renews what runs on the nodes that can ask. */
  renew(): void {
    for (const node of this.cluster.nodes.values()) {
      if (!node.isLinked) continue;
      for (const { instance } of Object.values(node.running)) {
        const lease = this.leases.get(instance);
        if (lease !== undefined && lease.until > this.cluster.now)
          this.#grant(node, instance, lease);
      }
    }
  }

  /** Time passes; what has outlived its lease ends at that moment. */
  tick(ms: number, renewEveryMs = Infinity): void {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.cluster.now += Math.min(stepMs, ms - passed);
      if (passed % renewEveryMs === 0) this.renew();
      this.expire();
      this.cluster.take();
    }
  }

  /** Time passes, and everything that is sent arrives at once. */
  run(ms: number): void {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.tick(stepMs, passed % renewMs === 0 ? stepMs : Infinity);
      this.settle();
    }
  }

  /** Everything that is on its way arrives, and starts and stops end; no time passes. */
  settle(): void {
    for (let rounds = 0; this.#settleOnce(); rounds += 1) {
      if (rounds > 1_000) throw new Error("the cluster does not come to rest");
    }
  }

  expire(): void {
    for (const node of this.cluster.nodes.values()) {
      for (const { instance } of Object.values(node.running)) {
        const lease = this.leases.get(instance);
        if (lease !== undefined && lease.until <= this.cluster.now) fail(node, instance);
      }
    }
  }

  /** Tokens of all starts that were decided, in order. */
  startedTokens(): readonly number[] {
    return this.cluster.records
      .flatMap(({ decisions }) => decisions.flatMap(({ firings }) => firings))
      .flatMap(({ commands }) => commands)
      .flatMap(({ action }) => (action.type === "StartService" ? (action.lease?.token ?? []) : []));
  }

  /** Leased instances that really run; all are of one service. */
  running(): readonly string[] {
    return [...this.cluster.nodes.values()]
      .flatMap((node) => Object.keys(node.running))
      .filter((instance) => this.leases.has(instance))
      .sort(compareText);
  }

  #settleOnce(): boolean {
    const { cluster } = this;
    let hasMoved = false;
    for (const [name, node] of cluster.nodes) {
      while (node.isLinked && (cluster.wires.get(name)?.length ?? 0) > 0) {
        cluster.deliverCommand(name);
        hasMoved = true;
      }
      while (node.isLinked && node.inbox.length > 0) {
        this.begin(name);
        hasMoved = true;
      }
      for (const { instance } of underWay(node)) {
        finish(node, instance);
        hasMoved = true;
      }
      while (node.isLinked && node.events.length > 0) {
        cluster.deliverEvent(name);
        hasMoved = true;
      }
    }
    return hasMoved;
  }

  #grant(node: NodeData, instance: string, lease: Lease): boolean {
    const { cluster } = this;
    const asked = [{ instance, token: lease.token }];
    if (grantable(cluster.state, node.name, asked).length === 0) return false;
    this.#grants.set(node.name, cluster.now);
    const until = cluster.now + lease.leaseMs * slowClock;
    this.leases.set(instance, { ...lease, until });
    return true;
  }
}
