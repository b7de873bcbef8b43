import { type Configuration, defaultOptions, init } from "@halon/raft";
import { clusterInvariants } from "./cluster/invariants/all.ts";
import type { ClusterObserver } from "./cluster/invariants/cluster-invariant.ts";
import { ClusterRuleSet } from "./cluster/invariants/rules.ts";
import { type ClusterParts, createCluster } from "./cluster/start.ts";
import { Operators } from "./cluster/wishes.ts";
import { noCounts } from "./counters.ts";
import { emptyDisk } from "./disk.ts";
import { EventQueue } from "./event-queue.ts";
import { createInvariants } from "./invariants/all.ts";
import { jobParts } from "./jobs/parts.ts";
import { createLedger } from "./ledger.ts";
import { createNetwork, slotsMax } from "./network.ts";
import { Prng } from "./prng.ts";
import { emptySnapshot, type StepFunction } from "./process.ts";
import type { Scenario } from "./scenario.ts";
import { Trace } from "./trace.ts";
import type { SimClient, SimMember, World } from "./world.ts";

/** Ids sort as slots do. */
function idOf(slot: number): string {
  return String.fromCharCode("a".charCodeAt(0) + slot);
}

/** A world before its first event. */
export function createWorld(
  scenario: Scenario,
  step: StepFunction,
  transcriptEvents?: number,
  observers: readonly ClusterObserver[] = [],
): World {
  const { settings, seed } = scenario;
  const ids: string[] = [];
  for (let slot = 0; slot < slotsMax; slot++) ids.push(idOf(slot));
  const first = firstConfiguration(ids.slice(0, settings.members));
  const members = ids.map((_, slot) => createMember(scenario, slot, first));
  const [observer] = members;
  if (observer === undefined) throw new Error("a run needs a member");
  const clients: SimClient[] = [];
  // The last one is the auditor.
  for (let number = 0; number <= settings.clients; number++)
    clients.push({
      number,
      prng: new Prng(seed, "client", number),
      leader: number % settings.members,
      operation: null,
      waiting: [],
      seen: [],
    });
  // Stands where no step has been observed yet.
  const before = init({
    id: observer.id,
    options: defaultOptions,
    seed: 0,
    found: null,
    configuration: first,
  });
  const world: World = {
    scenario,
    step,
    now: 0,
    events: 0,
    phase: "faults",
    queue: new EventQueue(),
    network: createNetwork(settings, seed),
    flight: { arrival: 0, secondArrival: -1, isCorrupted: false },
    members,
    slots: new Map(ids.map((id, slot) => [id, slot])),
    ledger: createLedger(),
    invariants: createInvariants(),
    observed: { member: observer, input: { type: "apply" }, before, after: before, effects: [] },
    counters: { ...noCounts },
    trace: new Trace(transcriptEvents, settings.cluster !== undefined),
    clients,
    operations: [],
    history: [],
    inFlight: new Set(),
    faultLinks: [],
    faultSlots: [],
    configurations: [first],
    toReplace: [],
    replacements: [],
    prepared: [],
    activeCuts: 0,
    hostTurns: 0,
    healedAt: 0,
    cluster: createCluster(scenario, members, clusterParts(scenario, observers), () => world),
  };
  return world;
}

function clusterParts(
  { seed, settings }: Scenario,
  observers: readonly ClusterObserver[],
): ClusterParts {
  const { jobs } = settings.cluster ?? {};
  if (jobs !== undefined) return jobParts(seed, jobs, observers);
  return {
    rules: new ClusterRuleSet(clusterInvariants(), observers),
    operators: new Operators(seed),
  };
}

function createMember(scenario: Scenario, slot: number, first: Configuration): SimMember {
  return {
    slot,
    id: idOf(slot),
    status: slot < scenario.settings.members ? "down" : "absent",
    incarnation: 0,
    process: null,
    disk: emptyDisk(emptySnapshot(first)),
    shadow: { baseIndex: 0, baseTerm: 0, terms: [] },
    sending: null,
    isInstalling: false,
    pausedUntil: 0,
    isFlushDue: false,
    clockRate: scenario.settings.clockRates[slot] ?? 1000,
    startedAt: 0,
    diskPrng: new Prng(scenario.seed, "disk", slot),
    durableTerm: 0,
    timers: 0,
    comparedIndex: 0,
  };
}

function firstConfiguration(ids: readonly string[]): Configuration {
  return {
    members: ids.map((id) => ({ id, address: `${id}:1` })),
    voters: ids,
    outgoing: [],
    learners: [],
  };
}
