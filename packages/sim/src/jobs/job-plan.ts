import { Prng } from "../prng.ts";
import type { Fault, JobSettings, NodeTarget, Scenario, Settings } from "../scenario.ts";

/** What the caller fixes of a run of jobs; the seed draws the rest. */
export interface JobPlanOptions {
  readonly tracking: number;
  readonly jobs: number;
  /** Of the phase with faults, in simulated seconds. */
  readonly seconds: number;
}

const second = 1_000_000;
/** The nodes have joined by then, and the first job begins; µs. */
const bootUs = 3 * second;

/** Draws a run of jobs from a seed: tracking nodes alone, and faults that end their coordinators. */
export function jobPlanOf(seed: number, { tracking, jobs, seconds }: JobPlanOptions): Scenario {
  const prng = new Prng(seed, "jobs");
  const faultsUs = seconds * second;
  const settings = settingsOf(seed, tracking, faultsUs, {
    count: jobs,
    fromUs: bootUs,
    // All at once, over a while, or over most of the run.
    overUs: prng.pick([1, second, 4 * second, Math.max(second, faultsUs - 2 * bootUs)]),
    waitsMs: prng.pick([
      [200, 700, 1_500],
      [1_000, 3_000],
      [50, 5_000],
      [2_500, 2_500],
    ]),
    arrivals: prng.pick([0, 200, 600]),
  });
  return { format: 1, seed, settings, faults: faultsOf(seed, settings), requests: [] };
}

function settingsOf(seed: number, members: number, faultsUs: number, jobs: JobSettings): Settings {
  const prng = new Prng(seed, "settings");
  const isRough = prng.chance(300);
  const drifts = prng.chance(500);
  const clockRates: number[] = [];
  for (let slot = 0; slot < 16; slot++) clockRates.push(drifts ? prng.between(980, 1020) : 1000);
  const delayMinUs = prng.pick([100, 200, 1_000]);
  const diskMinUs = prng.pick([100, 500, 2_000]);
  return {
    machine: "agency",
    members,
    faultsUs,
    ordered: true,
    delayMinUs,
    delayMaxUs: delayMinUs * prng.pick([2, 5]),
    // What is lost is sent again after a while, in which somebody leads and cannot decide.
    loss: 0,
    duplicate: 0,
    straggle: isRough ? 5 : 0,
    corrupt: 0,
    diskMinUs,
    diskMaxUs: diskMinUs * prng.pick([2, 5]),
    clockRates,
    compactEntries: prng.pick([50, 200]),
    keepEntries: prng.pick([0, 5, 50]),
    snapshotChunkBytes: prng.pick([65_536, 1_048_576]),
    appendBytesMax: 1_048_576,
    inflightMax: prng.pick([4, 64]),
    clients: 0,
    keys: 0,
    cluster: {
      satellites: 0,
      labels: [],
      services: [],
      breakerNodes: 3,
      breakerPercent: 50,
      turnMinUs: 20,
      turnMaxUs: 50,
      snapshotRecords: prng.pick([200, 1_000]),
      jobs,
    },
  };
}

type KindOf = Fault["type"];

/** How often each kind is drawn while it is on. */
const weights: readonly (readonly [KindOf, number])[] = [
  ["crashNode", 10],
  ["loseMachine", 3],
  ["pauseNode", 6],
  ["crashCoordinator", 8],
  ["hangCoordinator", 4],
  ["cutNode", 8],
  ["cut", 6],
  ["resetLinks", 2],
  ["crashAll", 2],
  ["crashWhen", 5],
  ["transfer", 4],
  ["jumpWall", 2],
];

function faultsOf(seed: number, { faultsUs }: Settings): readonly Fault[] {
  const prng = new Prng(seed, "faults");
  const bag: KindOf[] = [];
  for (const [type, weight] of weights)
    if (prng.chance(550)) for (let i = 0; i < weight; i++) bag.push(type);
  const [first = "crashNode", ...rest] = bag;
  const gapUs = prng.pick([700_000, 2_000_000, 4_000_000]);
  const faults: Fault[] = [];
  for (
    let at = bootUs + prng.below(gapUs);
    at < faultsUs;
    at += prng.between(gapUs >> 2, 2 * gapUs)
  )
    faults.push(faultOf(prng, prng.pick([first, ...rest]), at));
  return faults;
}

function faultOf(prng: Prng, type: KindOf, at: number): Fault {
  const node: NodeTarget = { role: prng.pick(["leader", "leader", "any"]), pick: prng.below(16) };
  const target = { role: prng.pick(["leader", "leader", "any"] as const), pick: node.pick };
  const forUs = prng.pick([50_000, 300_000, 1_000_000, 2_500_000]) + prng.below(500_000);
  switch (type) {
    case "pauseNode":
    case "loseMachine":
    case "hangCoordinator":
      return { at, type, node, forUs };
    case "crashCoordinator":
    case "resetLinks":
      return { at, type, node };
    case "cutNode":
      return { at, type, node, shape: prng.pick(["both", "both", "inbound", "outbound"]), forUs };
    case "cut":
      return { at, type, shape: prng.pick(["halves", "bridge", "ring", "link"]), target, forUs };
    case "crashAll":
      return { at, type, forUs, tail: prng.pick(["lost", "prefix", "torn"]) };
    case "crashWhen": {
      const moment = prng.pick(["writing", "elected", "truncating", "compacting"] as const);
      return { at, type, moment, forUs, tail: prng.pick(["lost", "prefix", "torn"]) };
    }
    case "transfer":
      return { at, type, target };
    case "jumpWall":
      return { at, type, node, byMs: prng.pick([-3_600_000, -1_000, 1_000, 3_600_000]) };
    default:
      return { at, type: "crashNode", node, forUs };
  }
}
