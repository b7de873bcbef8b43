import { evidenceOf, hungReason, pathReason, reasonOf, seconds } from "./evidence.ts";
import {
  answerMs,
  beginAnew,
  countFlap,
  hear,
  type Inquiry,
  isMissed,
  lastHeardAt,
  type Reach,
  type Suspicion,
  standingMs,
  type Trouble,
  troubleOf,
  type Watched,
  watch,
} from "./watched.ts";

/** The driver calls `tick` so often. */
export const tickMs = 50;
/** An observer that was so late has missed what it would conclude from. */
const lateMs = 250;
/** It concludes nothing for so long. */
const quietMs = 2_000;
/** Silence of all after which a node is lost. */
const lostMs = 1_000;
/** Heard by anybody so lately, it lives. */
const alive = { withinMs: 500, lostAfterMs: 10_000 } as const;
const hungLostMs = 5_000;
const askEveryMs = 250;
/** An opinion that is older confirms nothing. */
const confirmsMs = 600;

/** What an observer concludes about another node. */
export interface Observation {
  readonly type: "NodeSuspected" | "NodeTrusted" | "NodeLost";
  readonly node: string;
  readonly incarnation: number;
  /** One sentence without its end. */
  readonly reason: string;
  /** What the conclusion rests on, a sentence each. */
  readonly evidence: readonly string[];
}

/** Asks these nodes when they last heard `node`; it may be among them, and answers for itself. */
export interface AskOpinions {
  readonly type: "askOpinions";
  readonly node: string;
  readonly of: readonly string[];
}

export type DetectorOutput = Observation | AskOpinions;

/** A beat as the detector takes it; `at` is when it came in. */
export interface HeardBeat {
  readonly node: string;
  readonly incarnation: number;
  readonly at: number;
  readonly counters: { readonly main: number };
}

/**
 * Judges the nodes of the cluster for the one that leads (rfc/0008).
 *
 * All times are of one monotonic clock, in ms. Only the inputs that return outputs conclude anything; the driver carries
 * these out in their order.
 */
export class FailureDetector {
  readonly #self: string;
  readonly #watched = new Map<string, Watched>();
  #observers: ReadonlyMap<string, readonly string[]> = new Map();
  #lastInputAt: number;
  #quietUntil = -Infinity;

  /** `self` is not judged. */
  constructor(self: string, now: number) {
    this.#self = self;
    this.#lastInputAt = now;
  }

  isAttached(node: string): boolean {
    return this.attachedAs(node) !== undefined;
  }

  /** Incarnation of a node that is attached. */
  attachedAs(node: string): number | undefined {
    const watched = this.#watched.get(node);
    return watched?.reach.type === "linked" ? watched.incarnation : undefined;
  }

  attached(): readonly string[] {
    return [...this.#watched].flatMap(([node, { reach }]) =>
      reach.type === "linked" ? [node] : [],
    );
  }

  /** Who gets the beats of each node, besides this one. */
  setObservers(observers: ReadonlyMap<string, readonly string[]>): void {
    this.#observers = observers;
  }

  /** A node of the graph that has not attached yet, when this one begins to lead. */
  expect(node: string, incarnation: number, now: number): void {
    if (this.#watched.has(node)) return;
    this.#watched.set(node, watch(node, incarnation, { type: "awaited", since: now }, now));
  }

  /** A node whose link broke at `at`, before this one began to lead. */
  expectClosed(
    node: string,
    incarnation: number,
    { at, reason }: { readonly at: number; readonly reason: string },
    now: number,
  ): readonly DetectorOutput[] {
    const before = this.#watched.get(node)?.beats;
    const watched = watch(node, incarnation, { type: "closed", at, reason }, at);
    watched.beats = before;
    this.#watched.set(node, watched);
    return this.#judge(watched, now);
  }

  /** The node has a link and is served. */
  attach(node: string, incarnation: number, now: number): readonly DetectorOutput[] {
    this.#passTo(now);
    const before = this.#watched.get(node);
    const watched = watch(node, incarnation, { type: "linked" }, now);
    this.#watched.set(node, watched);
    if (before === undefined || before.incarnation !== incarnation) return [];
    const { beats, byLink, suspectedAt, damped, suspicion } = before;
    Object.assign(watched, { beats, byLink, suspectedAt, damped });
    if (suspicion === undefined) return [];
    const forMs = now - suspicion.since;
    return [
      {
        type: "NodeTrusted",
        node,
        incarnation,
        reason: `it came back after ${seconds(forMs)}`,
        evidence: evidenceOf(before, now, this.#isLate(now)),
      },
    ];
  }

  linkDown(node: string, reason: string, now: number): readonly DetectorOutput[] {
    this.#passTo(now);
    const watched = this.#watched.get(node);
    if (watched?.reach.type !== "linked") return [];
    watched.reach = { type: "closed", at: now, reason };
    return this.#judge(watched, now);
  }

  /** Of the nodes, those that are neither served nor waited for. */
  unwatched(nodes: readonly string[]): readonly string[] {
    return nodes.filter((node) => !this.#watched.has(node));
  }

  /** The graph has the node as down: it is not waited for. */
  expectNoMore(node: string): void {
    if (this.#watched.get(node)?.reach.type === "awaited") this.#watched.delete(node);
  }

  /** The node says that it stops: its silence is no news. */
  leave(node: string): void {
    this.#watched.delete(node);
  }

  /** Beats in the order in which they came in. Of a later incarnation one shows that the node lives, and will attach. */
  heard(beats: readonly HeardBeat[], now: number): void {
    this.#passTo(now);
    for (const { node, incarnation, at, counters } of beats) {
      const watched = this.#watched.get(node);
      if (watched !== undefined && incarnation >= watched.incarnation)
        hear(watched, at, counters.main);
    }
  }

  /** What `from` answered: how old its last beat of the node is, by its own clock; null: it cannot say. */
  opinion(from: string, about: string, ageMs: number | null, now: number): void {
    this.#passTo(now);
    const watched = this.#watched.get(about);
    const { inquiry } = watched ?? {};
    if (watched === undefined || inquiry === undefined) return;
    inquiry.opinions.set(from, { at: now, heardAt: ageMs === null ? null : now - ageMs });
    // Over its link it answers, and its beats are missed: they do not get through.
    if (from === about && watched.suspicion !== undefined && isMissed(watched, now))
      watched.byLink = { steady: 0 };
  }

  /** This observer could not see what came in for so long, until now. */
  ownLateness(ms: number, now: number): void {
    this.#passTo(now);
    if (ms >= lateMs) this.#doubt(now);
  }

  tick(now: number): readonly DetectorOutput[] {
    this.#passTo(now);
    return [...this.#watched.values()].flatMap((watched) => this.#judge(watched, now));
  }

  /** Inputs come with every tick at least: a gap between two shows that this observer stood still. */
  #passTo(now: number): void {
    const gapMs = now - this.#lastInputAt - tickMs;
    this.#lastInputAt = now;
    if (gapMs >= lateMs) this.#doubt(now);
  }

  #doubt(now: number): void {
    this.#quietUntil = now + quietMs;
    for (const watched of this.#watched.values()) beginAnew(watched, now);
  }

  #isLate(now: number): boolean {
    return now < this.#quietUntil;
  }

  #judge(watched: Watched, now: number): readonly DetectorOutput[] {
    if (watched.node === this.#self) return [];
    const isLate = this.#isLate(now);
    const trouble = troubleOf(watched, now, isLate);
    const { suspicion } = watched;
    if (trouble === undefined) {
      if (suspicion === undefined) {
        watched.inquiry = undefined;
        return [];
      }
      if (!isLate && isOver(watched, suspicion)) return [this.#trust(watched, suspicion, now)];
    }
    const asks = this.#ask(watched, now);
    const lostBecause = lossOf(watched, trouble, now, isLate);
    if (lostBecause !== undefined) {
      const lost = this.#observation("NodeLost", watched, lostBecause, now);
      this.#watched.delete(watched.node);
      return [lost];
    }
    return [...asks, ...this.#suspect(watched, trouble, now)];
  }

  #trust(watched: Watched, suspicion: Suspicion, now: number): Observation {
    const forMs = seconds(now - suspicion.since);
    const how = suspicion.isHung ? "its main thread turns again" : "it is heard again";
    const trusted = this.#observation("NodeTrusted", watched, `${how} after ${forMs}`, now);
    watched.suspicion = undefined;
    watched.inquiry = undefined;
    return trusted;
  }

  /** Says what speaks against the node; once more when it turns out that others hear it. */
  #suspect(watched: Watched, trouble: Trouble | undefined, now: number): readonly Observation[] {
    const { suspicion } = watched;
    if (suspicion === undefined) {
      if (trouble?.isVoiced !== true) return [];
      const isHung = trouble.type === "hung";
      watched.suspicion = { since: now, isHung, isPathTold: isHung };
      countFlap(watched, now);
      return [this.#observation("NodeSuspected", watched, reasonOf(watched, trouble, now), now)];
    }
    if (suspicion.isPathTold || now - suspicion.since < lostMs) return [];
    if (now - lastHeardAt(watched) >= alive.withinMs) return [];
    suspicion.isPathTold = true;
    return [this.#observation("NodeSuspected", watched, pathReason(watched, now), now)];
  }

  #observation(
    type: Observation["type"],
    watched: Watched,
    reason: string,
    now: number,
  ): Observation {
    const { node, incarnation } = watched;
    const evidence = evidenceOf(watched, now, this.#isLate(now));
    return { type, node, incarnation, reason, evidence };
  }

  #ask(watched: Watched, now: number): readonly AskOpinions[] {
    const { node, reach } = watched;
    watched.inquiry ??= newInquiry(now);
    if (now - watched.inquiry.askedAt < askEveryMs) return [];
    const others = (this.#observers.get(node) ?? []).filter(
      (other) => other !== this.#self && other !== node && this.isAttached(other),
    );
    const of = isLinked(reach) ? [...others, node] : others;
    watched.inquiry.askedAt = now;
    watched.inquiry.asked = of;
    return of.length === 0 ? [] : [{ type: "askOpinions", node, of }];
  }
}

function isLinked(reach: Reach): boolean {
  return reach.type === "linked";
}

function newInquiry(now: number): Inquiry {
  return { since: now, askedAt: -Infinity, asked: [], opinions: new Map() };
}

/** Whether what made the node suspect has passed: that nothing speaks against it just now is not enough. */
function isOver(watched: Watched, { since, isHung }: Suspicion): boolean {
  if (isHung && (watched.beats?.mainSince ?? -Infinity) <= since) return false;
  return lastHeardAt(watched) > since;
}

/** Why the node counts as lost; undefined while it does not. */
function lossOf(
  watched: Watched,
  trouble: Trouble | undefined,
  now: number,
  isLate: boolean,
): string | undefined {
  const { suspicion } = watched;
  const isWitnessed = hasWitness(watched, now);
  if (!isLate && standingMs(watched) >= hungLostMs) return hungReason(watched);
  if (now - silentSince(watched, isWitnessed) >= lostMs) {
    const isVoiced = suspicion !== undefined || trouble?.isVoiced === true;
    if (isWitnessed || (!isLate && isVoiced && isSettled(watched.inquiry, now)))
      return reasonOf(watched, trouble, now);
  }
  const isUnreached = suspicion !== undefined && now - suspicion.since >= alive.lostAfterMs;
  return !isLate && isUnreached && trouble !== undefined ? pathReason(watched, now) : undefined;
}

/** Since when nobody has heard it; others have eyes of their own, whatever this observer has missed. */
function silentSince(watched: Watched, isWitnessed: boolean): number {
  const { reach, beats, byLink, freshFrom } = watched;
  const isByLink = beats === undefined || byLink !== undefined;
  const closedAt = reach.type === "closed" && isByLink ? reach.at : -Infinity;
  return Math.max(lastHeardAt(watched), closedAt, isWitnessed ? -Infinity : freshFrom);
}

/** Whether somebody who has ears of its own has just said when it last heard the node. */
function hasWitness({ inquiry }: Watched, now: number): boolean {
  return [...(inquiry?.opinions.values() ?? [])].some(
    ({ at, heardAt }) => heardAt !== null && now - at <= confirmsMs,
  );
}

/** Whether nobody is left whose answer may still come. */
function isSettled(inquiry: Inquiry | undefined, now: number): boolean {
  if (inquiry === undefined) return true;
  const { since, asked, opinions } = inquiry;
  return now - since >= answerMs || asked.every((one) => opinions.has(one));
}
