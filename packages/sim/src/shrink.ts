import { milderClusters, positionsOf, shorter, withServices } from "./cluster/smaller.ts";
import type { InvariantId } from "./invariants/invariant.ts";
import { type RunOptions, run } from "./run.ts";
import type { Scenario, Settings } from "./scenario.ts";

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

/**
 * Makes a scenario that breaks a rule smaller: the settings as mild as they can be, then as few faults and requests as
 * still break the same rule (delta debugging, Zeller and Hildebrandt 2002).
 *
 * The seed stays, as all that is random comes from it; the lists of faults and requests are what gets shorter.
 */
export function shrink(scenario: Scenario, invariant: InvariantId, options: ShrinkOptions): Shrunk {
  let runs = 0;
  const breaks = (candidate: Scenario): boolean => {
    if (runs >= options.runsMax) return false;
    runs += 1;
    return run(candidate, options).violation?.invariant === invariant;
  };
  let best = scenario;
  const first = run(scenario, options).violation;
  if (first === null || first.invariant !== invariant) return { scenario, runs: 1 };
  const isBefore = ({ at }: { readonly at: number }): boolean => at <= first.timeUs;
  const early = {
    ...best,
    faults: best.faults.filter(isBefore),
    requests: best.requests.filter(isBefore),
  };
  if (breaks(early)) best = early;
  for (const settings of milder(best.settings)) {
    const candidate = { ...best, settings: { ...best.settings, ...settings } };
    if (breaks(candidate)) best = candidate;
  }
  best = { ...best, requests: fewer(best.requests, (requests) => breaks({ ...best, requests })) };
  best = { ...best, faults: fewer(best.faults, (faults) => breaks({ ...best, faults })) };
  best = { ...best, requests: fewer(best.requests, (requests) => breaks({ ...best, requests })) };
  if (best.settings.cluster !== undefined) best = smallerCluster(best, breaks);
  return { scenario: best, runs };
}

/** Of what faults and wishes are left: fewer services, shorter faults, an earlier end. */
function smallerCluster(scenario: Scenario, breaks: (one: Scenario) => boolean): Scenario {
  const { cluster } = scenario.settings;
  if (cluster === undefined) return scenario;
  const kept = fewer(positionsOf(cluster), (some) => breaks(withServices(scenario, some)));
  let best = withServices(scenario, kept);
  best = { ...best, faults: fewer(best.faults, (faults) => breaks({ ...best, faults })) };
  best.faults.forEach((fault, at) => {
    const short = shorter(fault);
    if (short === null) return;
    const candidate = { ...best, faults: best.faults.with(at, short) };
    if (breaks(candidate)) best = candidate;
  });
  const lastUs = Math.max(0, ...best.faults.map(({ at }) => at));
  const settings = { ...best.settings, faultsUs: lastUs + 1_000_000 };
  const early = { ...best, settings };
  return settings.faultsUs < best.settings.faultsUs && breaks(early) ? early : best;
}

function milder(settings: Settings): readonly Partial<Settings>[] {
  const calm = settings.clockRates.map(() => 1000);
  const mild: Partial<Settings>[] = [
    { loss: 0, duplicate: 0, straggle: 0, corrupt: 0 },
    { loss: 0 },
    { duplicate: 0 },
    { straggle: 0 },
    { corrupt: 0 },
    { ordered: true },
    { clockRates: calm },
    { delayMaxUs: settings.delayMinUs },
    { diskMaxUs: settings.diskMinUs },
  ];
  if (settings.cluster !== undefined) mild.unshift(...milderClusters(settings));
  if (settings.members > 5) mild.unshift({ members: 5 });
  if (settings.members > 3) mild.unshift({ members: 3 });
  return mild;
}

/** As few of the items as still satisfy `holds`, found by leaving out ever smaller parts. */
function fewer<T>(all: readonly T[], holds: (some: readonly T[]) => boolean): readonly T[] {
  let best = all;
  if (best.length > 0 && holds([])) return [];
  for (let size = best.length >> 1; size >= 1; size >>= 1)
    for (let from = 0; from < best.length; ) {
      const rest = [...best.slice(0, from), ...best.slice(from + size)];
      if (holds(rest)) best = rest;
      else from += size;
    }
  return best;
}
