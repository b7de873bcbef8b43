import { Intervals, phi } from "./phi.ts";

/** Silences shorter than this are none, whatever phi says. */
const silentMinMs = 500;
/** Silences longer than this are one, however unsteady the beats were. */
const silentMaxMs = 1_500;
const hungSuspectMs = 2_000;
/** Nodes have this long to come to a new leader. */
export const graceMs = 4_000;
const phiNeeded = 8;
const phiMax = 32;
/** So many suspicions within a minute are flapping. */
const flapsMax = 3;
const flapWindowMs = 60_000;
/** Beats in a row after which they are believed again of a node that was judged by its link. */
const steadyBeats = 10;

/** Who has not answered by then cannot be asked. */
export const answerMs = 400;

/** How the coordinator reaches a node. */
export type Reach =
  | { readonly type: "linked" }
  | { readonly type: "closed"; readonly at: number; readonly reason: string }
  /** A node of the graph that has not come to this leader yet. */
  | { readonly type: "awaited"; readonly since: number };

/** What others said of a node since somebody began to ask. */
export interface Inquiry {
  readonly since: number;
  askedAt: number;
  asked: readonly string[];
  readonly opinions: Map<string, Opinion>;
}

/** What a node says of another: when it last heard it, by this observer's clock; null: it cannot say. */
export interface Opinion {
  readonly at: number;
  readonly heardAt: number | null;
}

export interface Suspicion {
  readonly since: number;
  readonly isHung: boolean;
  /** It was said that only the path to it is broken. */
  isPathTold: boolean;
}

/** What an observer keeps of one node. Times are monotonic, in ms. */
export interface Watched {
  readonly node: string;
  readonly incarnation: number;
  reach: Reach;
  /** Undefined when no beat ever came. */
  beats:
    | {
        lastAt: number;
        readonly intervals: Intervals;
        mainTurns: number;
        /** Since when the counter of its main thread stands where it is. */
        mainSince: number;
      }
    | undefined;
  /** What was not heard before counts for nothing: the observer was late, or the node has just come. */
  freshFrom: number;
  /** Its beats do not get through though it answers; set while beats are not steady again. */
  byLink: { steady: number } | undefined;
  suspicion: Suspicion | undefined;
  inquiry: Inquiry | undefined;
  /** Of the last minute. */
  suspectedAt: readonly number[];
  damped: { readonly phi: number; readonly until: number } | undefined;
}

/** What speaks against a node. Not `isVoiced`: others are asked, and nothing is said yet. */
export interface Trouble {
  readonly type: "closed" | "hung" | "silent" | "awaited";
  readonly isVoiced: boolean;
}

export function watch(node: string, incarnation: number, reach: Reach, now: number): Watched {
  return {
    node,
    incarnation,
    reach,
    beats: undefined,
    freshFrom: now,
    byLink: undefined,
    suspicion: undefined,
    inquiry: undefined,
    suspectedAt: [],
    damped: undefined,
  };
}

/** Takes a beat; `at` is when it came in, which may be a little before beats that were taken already. */
export function hear(watched: Watched, at: number, mainTurns: number): void {
  const { beats, byLink } = watched;
  if (beats === undefined) {
    watched.beats = { lastAt: at, intervals: new Intervals(), mainTurns, mainSince: at };
    return;
  }
  if (beats.mainTurns !== mainTurns) {
    beats.mainTurns = mainTurns;
    beats.mainSince = at;
  }
  const intervalMs = at - beats.lastAt;
  if (intervalMs < 0) return;
  beats.lastAt = at;
  // An outage is no interval: it would make the next one look usual.
  if (intervalMs < silentMaxMs && at - intervalMs >= watched.freshFrom) {
    beats.intervals.add(intervalMs);
  }
  if (byLink === undefined) return;
  byLink.steady = intervalMs < silentMinMs ? byLink.steady + 1 : 0;
  if (byLink.steady >= steadyBeats) watched.byLink = undefined;
}

/** What was seen before counts for nothing from now on. */
export function beginAnew(watched: Watched, now: number): void {
  watched.freshFrom = now;
  watched.beats?.intervals.clear();
}

/** How long its own beats have been missed by an observer that has seen everything since `freshFrom`. */
export function silentMs({ beats, freshFrom }: Watched, now: number): number {
  return now - Math.max(beats?.lastAt ?? freshFrom, freshFrom);
}

export function phiOf(watched: Watched, now: number): number {
  const { beats } = watched;
  return beats === undefined ? 0 : phi(silentMs(watched, now), beats.intervals.spread);
}

/** How long, by its beats, its main thread has stood still. */
export function standingMs({ beats, freshFrom }: Watched): number {
  return beats === undefined ? 0 : beats.lastAt - Math.max(beats.mainSince, freshFrom);
}

/** The last moment for which anybody says that it lived. */
export function lastHeardAt({ beats, inquiry }: Watched): number {
  const others = [...(inquiry?.opinions.values() ?? [])].map(({ heardAt }) => heardAt ?? -Infinity);
  return Math.max(beats?.lastAt ?? -Infinity, ...others);
}

export function troubleOf(watched: Watched, now: number, isLate: boolean): Trouble | undefined {
  const { reach, beats, byLink } = watched;
  if (reach.type === "awaited") {
    return { type: "awaited", isVoiced: !isLate && now - reach.since >= graceMs };
  }
  if (reach.type === "closed") return { type: "closed", isVoiced: !isLate };
  if (beats === undefined) return undefined;
  if (isLate) return isMissed(watched, now) ? { type: "silent", isVoiced: false } : undefined;
  if (standingMs(watched) >= hungSuspectMs) return { type: "hung", isVoiced: true };
  const missedMs = silentMs(watched, now);
  if (byLink !== undefined || missedMs < silentMinMs) return undefined;
  const isLong = missedMs >= silentMaxMs || phiOf(watched, now) > neededPhi(watched, now);
  return { type: "silent", isVoiced: isLong };
}

/** Whether its beats are missing, whatever this observer may have missed. */
export function isMissed({ beats, byLink }: Watched, now: number): boolean {
  return byLink === undefined && beats !== undefined && now - beats.lastAt >= silentMinMs;
}

/** Takes note of a suspicion; of a node that flaps more is needed for the next. */
export function countFlap(watched: Watched, now: number): void {
  const recent = [...watched.suspectedAt.filter((at) => now - at < flapWindowMs), now];
  const isFlapping = recent.length >= flapsMax;
  watched.suspectedAt = isFlapping ? [] : recent;
  if (!isFlapping) return;
  const doubled = Math.min(phiMax, 2 * neededPhi(watched, now));
  watched.damped = { phi: doubled, until: now + flapWindowMs };
}

/** The phi over which a silence of this node is a suspicion. */
export function neededPhi({ damped }: Watched, now: number): number {
  return damped !== undefined && now < damped.until ? damped.phi : phiNeeded;
}
