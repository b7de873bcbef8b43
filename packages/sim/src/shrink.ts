import { milderClusters, positionsOf, shorter, withServices } from "./cluster/smaller.ts";
import type { InvariantId } from "./invariants/invariant.ts";
import { type RunOptions, run } from "./run.ts";
import type { ClientRequest, Scenario, Settings } from "./scenario.ts";

/** How far a scenario may be made smaller. */
export interface ShrinkOptions extends RunOptions {
  /** Most runs to spend. */
  readonly runsMax: number;
}

/** A smaller scenario that breaks the same rule, and how many runs it took to find. */
export interface Shrunk {
  readonly scenario: Scenario;
  readonly runs: number;
}

/** What a person takes in at a glance: with more events than this, other seeds are tried as well. */
const eventsMax = 10;
/** Seeds that are tried besides the scenario's own. */
const otherSeeds = [1, 2, 3, 4, 5, 6, 7, 8];
/** Nodes run by then, and the first thing happens; µs. */
const bootUs = 2_000_000;
/** A smaller run may break its rule so much later than the one before; µs. */
const slackUs = 2_000_000;

/**
 * Makes a scenario that breaks a rule smaller: what comes after the violation goes, the settings become as mild as they
 * can be, then as few faults and requests stay as still break the same rule (delta debugging, Zeller and Hildebrandt
 * 2002); all of it once more while that helps.
 *
 * Another order of messages can hide what is left, so a scenario that stays long is tried with other seeds.
 */
export function shrink(scenario: Scenario, invariant: InvariantId, options: ShrinkOptions): Shrunk {
  const search = new Search(scenario, invariant, options);
  if (!search.tries(scenario)) return { scenario, runs: search.runs };
  for (let size = Number.POSITIVE_INFINITY; search.size < size && search.isGoingOn; ) {
    size = search.size;
    endEarly(search);
    makeMild(search);
    mergeRequests(search, search.best.requests.length >> 4);
    makeShort(search, 8);
    makeServicesFew(search);
    bringTogether(search);
    if (search.size > eventsMax) goOnOtherwise(search);
    makeShort(search);
  }
  makeFaultsShort(search);
  return { scenario: search.best, runs: search.runs };
}

/** What is tried with a scenario that stays long. */
function goOnOtherwise(search: Search): void {
  mergeRequests(search, 2);
  search.seeds = otherSeeds;
  keepTheLast(search);
  makeRough(search);
  makeShort(search, 8);
  if (search.size > eventsMax) makeMild(search);
  search.seeds = [];
}

/** The smallest scenario so far that breaks the rule. */
class Search {
  best: Scenario;
  /** When that scenario breaks it; µs. */
  violatedUs = 0;
  /** A smaller run that goes on for twice as many events breaks it no more, or is no better. */
  #stepsMax = Number.POSITIVE_INFINITY;
  runs = 0;
  /** Tried when a candidate does not break the rule with its own seed. */
  seeds: readonly number[] = [];
  readonly #invariant: InvariantId;
  readonly #options: ShrinkOptions;

  constructor(scenario: Scenario, invariant: InvariantId, options: ShrinkOptions) {
    this.best = scenario;
    this.#invariant = invariant;
    this.#options = options;
  }

  /** Faults and requests that are left. */
  get size(): number {
    return this.best.faults.length + this.best.requests.length;
  }

  get isGoingOn(): boolean {
    return this.runs < this.#options.runsMax;
  }

  /** Whether the candidate breaks the rule, with one of the seeds; it is the best from then on. */
  tries(candidate: Scenario): boolean {
    return [candidate.seed, ...this.seeds].some((seed) => this.#breaks({ ...candidate, seed }));
  }

  #breaks(candidate: Scenario): boolean {
    if (!this.isGoingOn) return false;
    this.runs += 1;
    const { stepsMax = this.#stepsMax } = this.#options;
    const { violation } = run(candidate, { ...this.#options, stepsMax });
    if (violation?.invariant !== this.#invariant) return false;
    this.best = candidate;
    this.violatedUs = violation.timeUs;
    this.#stepsMax = 2 * violation.step;
    return true;
  }
}

/** Leaves out what comes after the violation, and ends the faults soon after it: the runs that follow are cheaper then. */
function endEarly(search: Search): void {
  const { best, violatedUs } = search;
  const isBefore = ({ at }: { readonly at: number }): boolean => at <= violatedUs;
  const faults = best.faults.filter(isBefore);
  const requests = best.requests.filter(isBefore);
  const lastUs = Math.max(0, ...[...faults, ...requests].map(({ at }) => at));
  for (const endUs of [lastUs, violatedUs]) {
    const faultsUs = Math.min(best.settings.faultsUs, endUs + slackUs);
    if (faultsUs === best.settings.faultsUs && faults.length + requests.length === search.size)
      return;
    const settings = { ...best.settings, faultsUs };
    if (search.tries({ ...best, settings, faults, requests })) return;
  }
}

/** Of each list of settings, the mildest that still breaks the rule. */
function makeMild(search: Search): void {
  for (const milder of [...milderClusters, ...milderMembers]) {
    const { settings } = search.best;
    milder(settings).some(
      (part) => isEqual(settings, part) || search.tries(withSettings(search.best, part)),
    );
  }
}

/** What led to the violation is seldom long before it. */
function keepTheLast(search: Search): void {
  const { best } = search;
  for (const count of [2, 4, 8]) {
    const faults = best.faults.slice(-count);
    for (const requests of [best.requests.slice(-count), best.requests])
      if (search.tries({ ...best, faults, requests })) return;
  }
}

/** A rough network may bring about with few events what a calm one needs many for. Of members alone. */
function makeRough(search: Search): void {
  const { best } = search;
  if (best.settings.cluster !== undefined) return;
  for (const rough of rougher)
    for (const lists of [{ faults: [], requests: [] }, { requests: [] }, { faults: [] }]) {
      const settings = { ...best.settings, ...rough };
      if (search.tries({ ...best, settings, ...lists })) return;
    }
}

/** As few faults and requests as still break the rule, of parts that are no smaller than this one of a list. */
function makeShort(search: Search, part = Number.POSITIVE_INFINITY): void {
  const requests = (): void =>
    fewer(search.best.requests, part, (some) => search.tries({ ...search.best, requests: some }));
  requests();
  fewer(search.best.faults, part, (some) => search.tries({ ...search.best, faults: some }));
  requests();
}

/** One burst in place of so many requests after each other or more: what matters of them may be that the log grows. */
function mergeRequests(search: Search, least: number): void {
  for (let size = search.best.requests.length; size >= Math.max(2, least); size >>= 1)
    for (let from = 0; from + 1 < search.best.requests.length; from += 1) {
      const { requests } = search.best;
      const burst = burstOf(requests.slice(from, from + size));
      if (burst === null) continue;
      search.tries({ ...search.best, requests: requests.toSpliced(from, size, burst) });
      if (search.best.requests === requests) from += size - 1;
    }
}

/** As many writes; null when there are not two of them. */
function burstOf(requests: readonly ClientRequest[]): ClientRequest | null {
  const writes = requests.flatMap((request) => (request.type === "read" ? [] : [request]));
  const [first] = writes;
  if (first === undefined || writes.length < 2) return null;
  const count = writes.reduce((sum, one) => sum + (one.type === "burst" ? one.count : 1), 0);
  const { at, client, value } = first;
  return { at, client, type: "burst", count, value };
}

/** As few services as still break the rule. */
function makeServicesFew(search: Search): void {
  const { cluster } = search.best.settings;
  if (cluster === undefined) return;
  const all = search.best;
  fewer(positionsOf(cluster), Number.POSITIVE_INFINITY, (some) =>
    search.tries(withServices(all, some)),
  );
}

/** No long time between two of what is left. */
function bringTogether(search: Search): void {
  for (const gapMaxUs of [10_000, 300_000, 2_000_000]) {
    const { best } = search;
    const earlier = new Map<number, number>();
    let before = { at: 0, to: 0 };
    for (const at of [...best.faults, ...best.requests].map((one) => one.at).sort(ascending)) {
      const gapUs = Math.min(at - before.at, earlier.size === 0 ? bootUs : gapMaxUs);
      before = { at, to: before.to + gapUs };
      earlier.set(at, before.to);
    }
    const moved = <T extends { readonly at: number }>(one: T): T => ({
      ...one,
      at: earlier.get(one.at) ?? one.at,
    });
    const candidate = {
      ...best,
      faults: best.faults.map(moved),
      requests: best.requests.map(moved),
    };
    if (before.at === before.to || search.tries(candidate)) break;
  }
  endEarly(search);
}

const ascending = (left: number, right: number): number => left - right;

function makeFaultsShort(search: Search): void {
  for (const [at, fault] of search.best.faults.entries()) {
    const short = shorter(fault);
    if (short === null) continue;
    search.tries({ ...search.best, faults: search.best.faults.with(at, short) });
  }
}

/** Changes of settings, the mildest first. */
type Milder = (settings: Settings) => readonly Partial<Settings>[];

const calm = { loss: 0, duplicate: 0, straggle: 0, corrupt: 0 };
const never = 1_000_000;
/** A snapshot after so many entries or slots: none at all, or few requests are enough for one. */
const snapshotsAfter = [never, 1, 3, 8];

const rougher: readonly Partial<Settings>[] = [
  { duplicate: 500 },
  { ordered: false, straggle: 300 },
  { loss: 150 },
];

const milderMembers: readonly Milder[] = [
  ({ cluster, members }) =>
    cluster === undefined ? below(members, [3, 5]).map((few) => ({ members: few })) : [],
  () => [calm, { loss: 0 }],
  () => [{ duplicate: 0 }],
  () => [{ straggle: 0 }],
  () => [{ corrupt: 0 }],
  () => [{ ordered: true }],
  ({ clockRates }) => [{ clockRates: clockRates.map(() => 1000) }],
  ({ delayMinUs }) => [{ delayMaxUs: delayMinUs }],
  ({ diskMinUs }) => [{ diskMaxUs: diskMinUs }],
  () => snapshotsAfter.map((compactEntries) => ({ compactEntries, keepEntries: 0 })),
  ({ hosts }) =>
    hosts === undefined
      ? []
      : snapshotsAfter.map((snapshotSlots) => ({ hosts: { ...hosts, snapshotSlots } })),
  ({ clients }) => below(clients, [1, 2]).map((few) => ({ clients: few })),
  ({ keys }) => below(keys, [1, 2]).map((few) => ({ keys: few })),
];

function below(count: number, some: readonly number[]): readonly number[] {
  return some.filter((few) => few < count);
}

function isEqual(settings: Settings, part: Partial<Settings>): boolean {
  return JSON.stringify({ ...settings, ...part }) === JSON.stringify(settings);
}

/** Clients and keys that are not there any more leave their requests to the others. */
function withSettings(scenario: Scenario, part: Partial<Settings>): Scenario {
  const settings = { ...scenario.settings, ...part };
  const requests = scenario.requests.map((request) => {
    const client = request.client % settings.clients;
    return request.type === "burst"
      ? { ...request, client }
      : { ...request, client, key: request.key % settings.keys };
  });
  return { ...scenario, settings, requests };
}

/** Tells `holds` of ever fewer of the items: all that it still holds of without the others. Goes down to this part of them. */
function fewer<T>(all: readonly T[], part: number, holds: (some: readonly T[]) => boolean): void {
  let best = all;
  if (best.length === 0 || holds([])) return;
  const least = Math.max(1, all.length / part);
  for (let size = best.length >> 1; size >= least; size >>= 1)
    for (let from = 0; from < best.length; ) {
      const rest = [...best.slice(0, from), ...best.slice(from + size)];
      if (rest.length > 0 && holds(rest)) best = rest;
      else from += size;
    }
}
