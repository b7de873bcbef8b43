import type { JsonObject } from "@halon/protocol";
import { step as raftStep } from "@halon/raft";
import type { InstanceEvent } from "@halon/service/core";
import {
  crashCoordinator,
  crashNode,
  crashSupervisor,
  hangCoordinator,
  loseMachine,
  pauseNode,
  resetLinks,
} from "./cluster/control.ts";
import type { SimProcess } from "./cluster/processes.ts";
import { give } from "./cluster/threads.ts";
import { type Asked, Operators } from "./cluster/wishes.ts";
import { type ClusterWorld, clusterOf } from "./cluster/world.ts";
import { cutLinks, linkOf } from "./network.ts";
import { boot, takeEvent } from "./run.ts";
import type { Fault, Wish } from "./scenario.ts";
import { StageMembership } from "./stage-membership.ts";
import { emptyNotes, notesInto } from "./stage-notes.ts";
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
export class Stage extends StageMembership {
  readonly #world: World;
  readonly #cluster: ClusterWorld;
  readonly #operators: Operators;
  readonly #names: readonly string[];
  /** What a rule on losses has to know of. */
  readonly #faults: Fault[];

  constructor(options: StageOptions = {}) {
    const faults: Fault[] = [];
    const scenario = { ...scenarioOf(options), faults };
    const notes = emptyNotes();
    const world = createWorld(scenario, raftStep, transcriptEvents, [notesInto(notes)]);
    super(world, notes);
    this.#names = scenario.settings.cluster?.services.map(({ name }) => name) ?? [];
    this.#world = world;
    this.#faults = faults;
    this.#cluster = clusterOf(world);
    const { operators } = this.#cluster;
    if (!(operators instanceof Operators)) throw new Error("a stage needs operators of its own");
    this.#operators = operators;
    if (options.rules !== undefined)
      this.#cluster.ruleFiles.push({ name: "site", rules: options.rules });
    boot(world);
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
    return this.#wish({ type: "drain", node: this.nodeAt(node).slot });
  }

  resume(node: string): Asked {
    return this.#wish({ type: "resume", node: this.nodeAt(node).slot });
  }

  decommission(node: string): Asked {
    return this.#wish({ type: "decommission", node: this.nodeAt(node).slot });
  }

  maintain(node: string, on: boolean): Asked {
    return this.#wish({ type: "maintain", node: this.nodeAt(node).slot, on });
  }

  resetBreaker(): Asked {
    return this.#wish({ type: "resetBreaker" });
  }

  check(service: string): Asked {
    return this.#wish({ type: "checkService", service: this.#at(service) });
  }

  status(service: string): Asked {
    return this.#wish({ type: "statusService", service: this.#at(service) });
  }

  /** Any other request, by its event. */
  request(type: string, data: JsonObject): Asked {
    this.#operators.ask(this.#world, type, data);
    return this.#lastAsked(type);
  }

  /** The same request once more, as by someone who has no answer yet. */
  askAgain(asked: Asked): void {
    this.#operators.again(this.#world, asked);
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
    this.#harm(node, forMs);
    crashNode(this.#world, this.nodeAt(node), usOf(forMs), "prefix");
  }

  /** A person stops it: it says so, and what runs there ends first. */
  stopNode(node: string, forMs = Number.POSITIVE_INFINITY): void {
    const { halond } = this.nodeAt(node);
    if (halond === null) throw new Error(`${node} does not run`);
    this.#harm(node, forMs);
    give(this.#world, halond, { type: "leaves", forUs: usOf(forMs) });
  }

  /** The machine is gone with all that runs on it. */
  loseMachine(node: string, forMs = Number.POSITIVE_INFINITY): void {
    this.#harm(node, forMs);
    loseMachine(this.#world, this.nodeAt(node), usOf(forMs), "lost");
  }

  pauseNode(node: string, forMs: number): void {
    this.#harm(node, forMs);
    pauseNode(this.#world, this.nodeAt(node), usOf(forMs));
  }

  /** Each turn of the node begins so much later, until it is told 0. */
  slowNode(node: string, byMs: number): void {
    this.#harm(node, Number.POSITIVE_INFINITY);
    this.nodeAt(node).lateUs = usOf(byMs);
  }

  /** Its `halond` has these labels from its next start on. */
  relabel(node: string, labels: Readonly<Record<string, string>>): void {
    this.nodeAt(node).labels = labels;
  }

  /** The main thread of its `halond` does nothing for a while; its beats go on. */
  hangMain(node: string, forMs: number): void {
    const { halond } = this.nodeAt(node);
    if (halond === null) throw new Error(`${node} does not run`);
    this.#harm(node, forMs);
    halond.hungUntil = this.#world.now + usOf(forMs);
  }

  jumpWall(node: string, byMs: number): void {
    this.nodeAt(node).wallAheadMs += byMs;
  }

  crashCoordinator(node: string = this.#leading()): void {
    crashCoordinator(this.#world, this.nodeAt(node));
  }

  hangCoordinator(node: string, forMs: number): void {
    hangCoordinator(this.#world, this.nodeAt(node), usOf(forMs));
  }

  crashSupervisor(node: string): void {
    crashSupervisor(this.#world, this.nodeAt(node));
  }

  /** Connections of the node close, and are opened again. */
  resetLinks(node: string): void {
    resetLinks(this.#world, this.nodeAt(node));
  }

  /** Cuts the node off, in one direction or both; what is answered joins it again. */
  cut(node: string, shape: "both" | "inbound" | "outbound" = "both"): () => void {
    this.#harm(node, Number.POSITIVE_INFINITY);
    const slots = this.#cluster.nodes.map(({ slot }) => slot);
    return this.#cut(cutLinks(shape === "both" ? "one" : shape, slots, this.nodeAt(node).slot));
  }

  /** Cuts the way between two nodes; the answer joins them again. */
  cutBetween(one: string, other: string): () => void {
    this.#harm(one, Number.POSITIVE_INFINITY);
    const [a, b] = [this.nodeAt(one).slot, this.nodeAt(other).slot];
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

  /** The service says something of itself. */
  says(service: string, event: InstanceEvent, on?: string): void {
    this.#cluster.services.tell(this.#process(service, on), event);
  }

  /** The node tells the leader of something, true or not. */
  emit(node: string, type: string, data: JsonObject): void {
    const { halond } = this.nodeAt(node);
    if (halond === null) throw new Error(`${node} does not run, so it tells nothing`);
    halond.emit(this.#world, halond, type, data);
  }

  #wish(wish: WishNow): Asked {
    this.#operators.wish(this.#world, { ...wish, at: this.#world.now });
    return this.#lastAsked(wish.type);
  }

  #lastAsked(type: string): Asked {
    const asked = this.#operators.asked.at(-1);
    if (asked === undefined) throw new Error(`nothing was asked for by ${type}`);
    return asked;
  }

  #at(service: string): number {
    const position = this.#names.indexOf(service);
    if (position < 0)
      throw new Error(`there is no service ${service}; there are ${this.#names.join(", ")}`);
    return position;
  }

  #leading(): string {
    const leader = this.leader();
    if (leader === null) throw new Error("nobody decides now");
    return leader;
  }

  #process(service: string, on?: string): SimProcess {
    const slot = on === undefined ? undefined : this.nodeAt(on).slot;
    const found = this.processes(service).find((one) => slot === undefined || one.slot === slot);
    if (found === undefined) throw new Error(`nothing of ${service} lives on ${on ?? "any node"}`);
    return found;
  }

  /** A loss may follow from it. */
  #harm(node: string, forMs: number): void {
    const { slot } = this.nodeAt(node);
    const target = { role: "any", pick: slot } as const;
    const fault = { at: this.#world.now, type: "crashNode", node: target } as const;
    this.#faults.push({ ...fault, forUs: usOf(forMs) });
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
