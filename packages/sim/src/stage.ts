import type { CoordinatorState } from "@halon/coordinator/core";
import type { AttributesOf, GraphView } from "@halon/protocol";
import { step as raftStep } from "@halon/raft";
import {
  crashCoordinator,
  crashNode,
  crashSupervisor,
  decidingNode,
  hangCoordinator,
  loseMachine,
  pauseNode,
  resetLinks,
} from "./cluster/control.ts";
import { ClusterRuleSet } from "./cluster/invariants/rules.ts";
import type { SimProcess } from "./cluster/processes.ts";
import { type Asked, Operators } from "./cluster/wishes.ts";
import { type ClusterWorld, clusterOf, type SimNode } from "./cluster/world.ts";
import { cutLinks, linkOf } from "./network.ts";
import { boot, takeEvent } from "./run.ts";
import type { Wish } from "./scenario.ts";
import { type Fired, notesInto } from "./stage-notes.ts";
import { forEverUs, type StageOptions, scenarioOf } from "./stage-scenario.ts";
import { eventKind, type World } from "./world.ts";
import { createWorld } from "./world-start.ts";

/** What people ask for now. */
type WishNow = Wish extends infer W ? (W extends Wish ? Omit<W, "at"> : never) : never;

const untilMsDefault = 30_000;
const untilMsMax = 120_000;
const transcriptEvents = 60;

/**
 * A simulated cluster that a test drives: it says what is asked for and what breaks, lets time pass, and looks.
 *
 * All rules of the simulator are looked at meanwhile; one that breaks is thrown. Equal stages driven alike do the same.
 */
export class Stage {
  readonly #world: World;
  readonly #cluster: ClusterWorld;
  readonly #operators: Operators;
  readonly #rules: ClusterRuleSet;
  readonly #names: readonly string[];
  readonly #fired: Fired[] = [];

  constructor(options: StageOptions = {}) {
    const scenario = scenarioOf(options);
    this.#names = scenario.settings.cluster?.services.map(({ name }) => name) ?? [];
    const notes = notesInto(this.#fired);
    this.#world = createWorld(scenario, raftStep, transcriptEvents, [notes]);
    this.#cluster = clusterOf(this.#world);
    const { operators, rules } = this.#cluster;
    if (!(operators instanceof Operators) || !(rules instanceof ClusterRuleSet))
      throw new Error("a stage needs operators and rules of its own");
    this.#operators = operators;
    this.#rules = rules;
    boot(this.#world);
  }

  get nowMs(): number {
    return this.#world.now / 1_000;
  }

  /** What is committed: the fold of all records that anybody may rest on. */
  get committed(): CoordinatorState {
    return this.#rules.committed;
  }

  /** The graph as it is committed. */
  get graph(): GraphView {
    return this.committed.graph;
  }

  /** Lets so much time pass. */
  run(ms: number): void {
    const end = this.#world.now + ms * 1_000;
    let isOver = false;
    this.#world.queue.push(end, eventKind.faultEnd, -1, 0, null);
    while (!isOver && takeEvent(this.#world)) isOver = this.#world.now >= end;
  }

  /** Lets time pass until it is true. Throws with the last events when that takes longer. */
  until(isTrue: () => boolean, withinMs: number = untilMsDefault): void {
    const end = this.#world.now + Math.min(withinMs, untilMsMax) * 1_000;
    while (!isTrue()) {
      if (this.#world.now > end || !takeEvent(this.#world)) {
        const lines = this.#world.trace.lines().join("\n");
        throw new Error(`not within ${withinMs} ms: ${isTrue}\n${lines}`);
      }
    }
  }

  /** Lets time pass, and asks all along that it stays true. */
  always(isTrue: () => boolean, forMs: number): void {
    const end = this.#world.now + forMs * 1_000;
    while (this.#world.now < end && takeEvent(this.#world)) {
      if (isTrue()) continue;
      const lines = this.#world.trace.lines().join("\n");
      throw new Error(`not any more at ${this.nowMs} ms: ${isTrue}\n${lines}`);
    }
  }

  /** Until a coordinator decides and every node that runs is up. */
  ready(): void {
    this.until(() => {
      const running = this.#cluster.nodes.filter(({ status }) => status === "up");
      return (
        this.leader() !== null &&
        running.length > 0 &&
        running.every(({ name }) => this.node(name)?.state === "up")
      );
    });
  }

  // What people ask for. Each answers the operation, which is asked again until its outcome is known.

  deploy(...services: readonly string[]): Asked {
    return this.#wish({
      type: "deploy",
      services: services.map((name) => this.#at(name)),
      prune: false,
    });
  }

  /** Deploys these and removes all others. */
  deployOnly(...services: readonly string[]): Asked {
    return this.#wish({
      type: "deploy",
      services: services.map((name) => this.#at(name)),
      prune: true,
    });
  }

  upgrade(service: string): Asked {
    return this.#wish({ type: "upgrade", service: this.#at(service) });
  }

  /** `bad`: it cannot start with it. */
  configure(service: string, { bad = false }: { readonly bad?: boolean } = {}): Asked {
    return this.#wish({ type: "configure", service: this.#at(service), bad });
  }

  start(service: string): Asked {
    return this.#wish({ type: "startService", service: this.#at(service) });
  }

  stop(service: string): Asked {
    return this.#wish({ type: "stopService", service: this.#at(service) });
  }

  restart(service: string): Asked {
    return this.#wish({ type: "restartService", service: this.#at(service) });
  }

  drain(node: string): Asked {
    return this.#wish({ type: "drain", node: this.#node(node).slot });
  }

  resume(node: string): Asked {
    return this.#wish({ type: "resume", node: this.#node(node).slot });
  }

  decommission(node: string): Asked {
    return this.#wish({ type: "decommission", node: this.#node(node).slot });
  }

  maintain(node: string, on: boolean): Asked {
    return this.#wish({ type: "maintain", node: this.#node(node).slot, on });
  }

  resetBreaker(): Asked {
    return this.#wish({ type: "resetBreaker" });
  }

  /** Whether the operation is done; false while it goes on, its reason when it was refused or has failed. */
  outcome({ id, refusal }: Asked): boolean | string {
    if (refusal !== null) return refusal;
    const known = this.graph.get("Operation", id)?.attributes;
    if (known?.state === "failed") return known.reason ?? "it failed";
    return known?.state === "done";
  }

  // What breaks.

  /** `halond` dies; OS processes live on. It starts again after `forMs`, or never. */
  crashNode(node: string, forMs = Number.POSITIVE_INFINITY): void {
    crashNode(this.#world, this.#node(node), usOf(forMs), "prefix");
  }

  /** The machine is gone with all that runs on it. */
  loseMachine(node: string, forMs = Number.POSITIVE_INFINITY): void {
    loseMachine(this.#world, this.#node(node), usOf(forMs), "lost");
  }

  pauseNode(node: string, forMs: number): void {
    pauseNode(this.#world, this.#node(node), usOf(forMs));
  }

  /** Each turn of the node begins so much later, until it is told 0. */
  slowNode(node: string, byMs: number): void {
    this.#node(node).lateUs = usOf(byMs);
  }

  jumpWall(node: string, byMs: number): void {
    this.#node(node).wallAheadMs += byMs;
  }

  crashCoordinator(node: string = this.#leading()): void {
    crashCoordinator(this.#world, this.#node(node));
  }

  hangCoordinator(node: string, forMs: number): void {
    hangCoordinator(this.#world, this.#node(node), usOf(forMs));
  }

  crashSupervisor(node: string): void {
    crashSupervisor(this.#world, this.#node(node));
  }

  /** Connections of the node close, and are opened again. */
  resetLinks(node: string): void {
    resetLinks(this.#world, this.#node(node));
  }

  /** Cuts the node off, in one direction or both; what is answered joins it again. */
  cut(node: string, shape: "both" | "inbound" | "outbound" = "both"): () => void {
    const slots = this.#cluster.nodes.map(({ slot }) => slot);
    return this.#cut(cutLinks(shape === "both" ? "one" : shape, slots, this.#node(node).slot));
  }

  /** Cuts the way between two nodes; the answer joins them again. */
  cutBetween(one: string, other: string): () => void {
    const [a, b] = [this.#node(one).slot, this.#node(other).slot];
    return this.#cut([linkOf(a, b), linkOf(b, a)]);
  }

  crashService(service: string, on?: string, exitCode = 1): void {
    this.#cluster.services.crash(this.#process(service, on), exitCode);
  }

  /** It answers nothing any more and shows no progress. */
  hangService(service: string, on?: string): void {
    this.#process(service, on).plight.hangsSinceUs = this.#world.now;
  }

  failChecks(service: string, forMs: number, on?: string): void {
    this.#process(service, on).plight.failsChecksUntilUs = this.#world.now + usOf(forMs);
  }

  /** It waits for an answer, and cannot go on without one. */
  trouble(service: string, on?: string): void {
    this.#cluster.services.trouble(this.#process(service, on));
  }

  /** It says that its work is done. */
  exitService(service: string, on?: string): void {
    this.#cluster.services.exit(this.#process(service, on));
  }

  leak(service: string, on?: string): void {
    this.#process(service, on).plight.leaksSinceUs = this.#world.now;
  }

  /** The next starts of the service go wrong in this way. */
  next(
    service: string,
    how: "slowStart" | "failStart" | "ignoreStop" | "fork" | "flap",
    times = 1,
  ): void {
    this.#cluster.services.arm(service, how, times);
  }

  // What can be seen.

  /** Name of the node whose coordinator decides. */
  leader(): string | null {
    return decidingNode(this.#world)?.name ?? null;
  }

  /** Epoch under which that one decides; 0 when none does. */
  epoch(): number {
    return decidingNode(this.#world)?.coordinator?.decider?.epoch ?? 0;
  }

  /** The node as the graph has it. */
  node(name: string): AttributesOf<"Node"> | undefined {
    return this.graph.get("Node", name)?.attributes;
  }

  /** Whether `halond` runs there. */
  isUp(name: string): boolean {
    return this.#node(name).status === "up";
  }

  /** Processes of the service that live, by node. */
  processes(service: string): readonly SimProcess[] {
    return [...this.#cluster.services.processes.values()]
      .filter((process) => process.service === service)
      .sort((one, other) => one.slot - other.slot);
  }

  /** Names of the nodes where it runs and the graph says so. */
  runsOn(service: string): readonly string[] {
    return this.processes(service)
      .filter(({ instance, state }) => {
        const known = this.graph.get("ServiceInstance", instance)?.attributes.state;
        return state === "running" && (known === "running" || known === "degraded");
      })
      .map(({ slot }) => this.#cluster.nodes[slot]?.name ?? "");
  }

  runs(service: string, on?: string): boolean {
    const nodes = this.runsOn(service);
    return on === undefined ? nodes.length > 0 : nodes.includes(on);
  }

  /** The instances of the service in the graph, with their ids. */
  instances(
    service: string,
  ): readonly (AttributesOf<"ServiceInstance"> & { readonly id: string })[] {
    return this.graph
      .list("ServiceInstance", { service })
      .map(({ id, attributes }) => ({ id, ...attributes }));
  }

  /** Its slot on a node. */
  slot(service: string, node: string): AttributesOf<"ServiceName"> | undefined {
    return this.graph.get("ServiceName", `${service}@${node}`)?.attributes;
  }

  /** What rules of this name have decided, oldest first. */
  fired(rule?: string): readonly Fired[] {
    return rule === undefined ? this.#fired : this.#fired.filter((one) => one.rule === rule);
  }

  /** Events of this type that were decided, oldest first. */
  events(type: string): readonly Fired["event"][] {
    const seen = new Set<Fired["event"]>();
    for (const { event } of this.#fired) if (event.type === type) seen.add(event);
    return [...seen];
  }

  /** The last events as text. */
  transcript(): readonly string[] {
    return this.#world.trace.lines();
  }

  #wish(wish: WishNow): Asked {
    this.#operators.wish(this.#world, { ...wish, at: this.#world.now });
    const asked = this.#operators.asked.at(-1);
    if (asked === undefined) throw new Error(`nothing was asked for by ${wish.type}`);
    return asked;
  }

  #at(service: string): number {
    const position = this.#names.indexOf(service);
    if (position < 0)
      throw new Error(`there is no service ${service}; there are ${this.#names.join(", ")}`);
    return position;
  }

  #node(name: string): SimNode {
    const node = this.#cluster.byName.get(name);
    if (node !== undefined) return node;
    throw new Error(`there is no node ${name}; there are ${[...this.#cluster.byName.keys()]}`);
  }

  #leading(): string {
    const leader = this.leader();
    if (leader === null) throw new Error("nobody decides now");
    return leader;
  }

  #process(service: string, on?: string): SimProcess {
    const slot = on === undefined ? undefined : this.#node(on).slot;
    const found = this.processes(service).find((one) => slot === undefined || one.slot === slot);
    if (found === undefined) throw new Error(`nothing of ${service} lives on ${on ?? "any node"}`);
    return found;
  }

  #cut(links: readonly number[]): () => void {
    const { cuts } = this.#world.network;
    for (const link of links) cuts[link] = (cuts[link] ?? 0) + 1;
    let isCut = true;
    return () => {
      if (isCut) for (const link of links) cuts[link] = (cuts[link] ?? 0) - 1;
      isCut = false;
    };
  }
}

/** A cluster whose nodes are about to start. */
export function createStage(options: StageOptions = {}): Stage {
  return new Stage(options);
}

function usOf(ms: number): number {
  return Math.min(forEverUs, Math.round(ms * 1_000));
}
