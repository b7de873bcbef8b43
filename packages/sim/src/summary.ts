import {
  type Counters,
  noCounts,
  rareClusterStates,
  rareHostStates,
  rareJobStates,
  rareStates,
} from "./counters.ts";
import type { Outcome, Violation } from "./run.ts";

/** What came of one seed, as a thread of the command line reports it. */
export interface SeedReport {
  readonly seed: number;
  readonly outcome: Outcome;
  /** Of a second run of the seed, when one was asked for. */
  readonly secondHash: string | null;
}

/** What came of many seeds. */
export interface Summary {
  readonly seeds: number;
  /** Of second runs too. */
  readonly events: number;
  /** By CPU time of all threads. */
  readonly eventsPerCoreSecond: number;
  readonly simulatedHours: number;
  readonly simulatedHoursPerCoreMinute: number;
  readonly totals: Counters;
  /** Share of seeds that reached each rare state, in percent. */
  readonly shares: Readonly<Record<string, number>>;
  /** Rare states that fewer than one seed in a hundred reached; judged from 1,000 seeds on, of whole clusters from 300. */
  readonly missing: readonly string[];
  /** Seeds of which two runs differed, or one from the earlier sweep. */
  readonly different: readonly number[];
  readonly violations: number;
  /** The violation of the lowest seed. */
  readonly violation: Violation | null;
}

/** Seeds from which on the shares of rare states are judged. */
const judgedSeeds = 1_000;
const judgedClusterSeeds = 300;

/** Adds up what came of seeds. */
export class Tally {
  private seeds = 0;
  private events = 0;
  private simulatedUs = 0;
  private readonly totals: Counters = { ...noCounts };
  private readonly reached: Counters = { ...noCounts };
  private readonly different: number[] = [];
  readonly violations: Violation[] = [];
  private readonly expected: ReadonlyMap<number, string> | null;

  /** `expected`: hashes of an earlier sweep, by seed; one that it has not counts as different. */
  constructor(expected: ReadonlyMap<number, string> | null = null) {
    this.expected = expected;
  }

  add({ seed, outcome, secondHash }: SeedReport): void {
    this.seeds += 1;
    this.events += secondHash === null ? outcome.events : 2 * outcome.events;
    this.simulatedUs += outcome.simulatedUs;
    for (const name of Object.keys(noCounts) as (keyof Counters)[]) {
      this.totals[name] += outcome.counters[name];
      if (outcome.counters[name] > 0) this.reached[name] += 1;
    }
    const earlier = secondHash ?? outcome.hash;
    const expected = this.expected === null ? outcome.hash : this.expected.get(seed);
    if (earlier !== outcome.hash || expected !== outcome.hash) this.different.push(seed);
    if (outcome.violation !== null) this.violations.push(outcome.violation);
  }

  get count(): number {
    return this.seeds;
  }

  summary(cpuSeconds: number): Summary {
    const shares: Record<string, number> = {};
    const states = statesOf(this.totals);
    const judged = hasCluster(this.totals) ? judgedClusterSeeds : judgedSeeds;
    for (const name of states)
      shares[name] = round((100 * this.reached[name]) / Math.max(1, this.seeds));
    const hours = this.simulatedUs / 3.6e9;
    const violation = this.violations.sort((left, right) => left.seed - right.seed)[0] ?? null;
    return {
      seeds: this.seeds,
      events: this.events,
      eventsPerCoreSecond: Math.round(this.events / Math.max(0.001, cpuSeconds)),
      simulatedHours: round(hours),
      simulatedHoursPerCoreMinute: round((60 * hours) / Math.max(0.001, cpuSeconds)),
      totals: this.totals,
      shares,
      missing: this.seeds < judged ? [] : states.filter((name) => (shares[name] ?? 0) < 1),
      different: this.different.sort((left, right) => left - right),
      violations: this.violations.length,
      violation,
    };
  }
}

function hasCluster(totals: Counters): boolean {
  return totals.records > 0;
}

function statesOf(totals: Counters): readonly (keyof Counters)[] {
  if (totals.jobsEnded > 0) return rareJobStates;
  if (hasCluster(totals)) return rareClusterStates;
  return totals.hostAppends > 0 ? [...rareStates, ...rareHostStates] : rareStates;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Whether a command that ends with this summary has failed. */
export function hasFailed(summary: Summary): boolean {
  return summary.violations > 0 || summary.missing.length > 0 || summary.different.length > 0;
}

/** The summary for people. */
export function describeSummary(summary: Summary): string {
  const { totals, shares } = summary;
  const hours = hasCluster(totals) ? "cluster-hours" : "simulated hours";
  return [
    `${summary.seeds} seeds, ${summary.events} events, ${summary.eventsPerCoreSecond} events/s per core`,
    `${summary.simulatedHours} ${hours}, ${summary.simulatedHoursPerCoreMinute} per core-minute`,
    `${totals.faults} faults, ${totals.crashes} crashes, ${totals.elections} elections, ${totals.membersChanged} configurations`,
    hasCluster(totals)
      ? `${totals.records} records, ${totals.takeovers} takeovers, ${totals.servicesLaunched} starts of services`
      : `${totals.answered} answers, ${totals.unknown} requests of unknown fate`,
    ...(totals.jobsEnded === 0
      ? []
      : [
          `${totals.jobsEnded} jobs ended, ${totals.takeoverAmidJobs} takeovers amid jobs in every state, ${totals.timersLateByOutage} timers late by an outage`,
        ]),
    ...Object.entries(shares).map(
      ([name, share]) => `  ${name.padEnd(32)} ${share.toFixed(2)} % of seeds`,
    ),
    ...summary.missing.map((name) => `not reached in 1 % of seeds: ${name}`),
    ...summary.different.map((seed) => `two runs of seed ${seed} differ`),
    `${summary.violations} violations`,
  ].join("\n");
}

/** A violation for people. */
export function describeViolation(violation: Violation): string {
  const { invariant, seed, step, timeUs, message, transcript } = violation;
  return [
    ...transcript,
    `${invariant} is broken: ${message}`,
    `seed ${seed}, step ${step}, at ${(timeUs / 1000).toFixed(3)} ms`,
  ].join("\n");
}
