import { clusterPlanOf } from "./cluster/plan.ts";
import { jobPlanOf } from "./jobs/job-plan.ts";
import { Prng } from "./prng.ts";
import type {
  ClientRequest,
  CrashMoment,
  CrashTail,
  CutShape,
  Fault,
  HostSettings,
  MemberFault,
  Scenario,
  Settings,
  Target,
} from "./scenario.ts";

/** What the caller fixes; the seed draws the rest. */
export interface PlanOptions {
  readonly members: number;
  /** Of the phase with faults, in simulated seconds. */
  readonly seconds: number;
  /** Null: the seed draws it. */
  readonly machine: Settings["machine"] | null;
  /** Whole nodes run; how many of each kind, null: the seed draws it. Absent: members alone. */
  readonly cluster?: { readonly tracking: number | null; readonly satellites: number | null };
  /** So many jobs run on `members` tracking nodes. Absent: none. */
  readonly jobs?: number;
}

const second = 1_000_000;

/**
 * Draws a scenario from a seed.
 *
 * Every seed switches about half of the kinds of fault off (swarm testing): else the strongest hides the rest.
 */
export function planOf(seed: number, options: PlanOptions): Scenario {
  const { cluster, seconds, members, jobs } = options;
  if (jobs !== undefined) return jobPlanOf(seed, { tracking: members, jobs, seconds });
  if (cluster !== undefined) return clusterPlanOf(seed, { ...cluster, seconds });
  const drawn = settingsOf(new Prng(seed, "settings"), options);
  const hosts = hostsOf(new Prng(seed, "hosts"), drawn);
  const questions = questionsOf(new Prng(seed, "questions"));
  const settings = hosts === null ? drawn : { ...drawn, hosts: { ...hosts, questions } };
  return {
    format: 1,
    seed,
    settings,
    faults: [...faultsOf(seed, settings), ...hostFaultsOf(seed, settings)].sort(
      (left, right) => left.at - right.at,
    ),
    requests: requestsOf(seed, settings),
  };
}

function settingsOf(prng: Prng, { members, seconds, machine }: PlanOptions): Settings {
  const drawn = prng.pick(["registers", "agency"] as const);
  const isRough = prng.chance(500);
  const delayMinUs = prng.pick([100, 500, 2_000]);
  const diskMinUs = prng.pick([100, 500, 3_000]);
  const clockRates: number[] = [];
  const drifts = prng.chance(500);
  for (let slot = 0; slot < 16; slot++) clockRates.push(drifts ? prng.between(980, 1020) : 1000);
  const settings: Settings = {
    machine: machine ?? drawn,
    members,
    faultsUs: seconds * second,
    ordered: prng.chance(600),
    delayMinUs,
    delayMaxUs: delayMinUs * prng.pick([2, 5, 20]),
    loss: isRough ? prng.pick([0, 10, 50, 150]) : 0,
    duplicate: isRough ? prng.pick([0, 10, 100]) : 0,
    straggle: isRough ? prng.pick([0, 10, 100]) : 0,
    corrupt: isRough ? prng.pick([0, 0, 5, 20]) : 0,
    diskMinUs,
    diskMaxUs: diskMinUs * prng.pick([2, 5, 20]),
    clockRates,
    compactEntries: prng.pick([20, 50, 100]),
    keepEntries: prng.pick([0, 5, 30]),
    snapshotChunkBytes: prng.pick([256, 1024, 4096]),
    appendBytesMax: prng.pick([256, 4096, 65_536]),
    inflightMax: prng.pick([1, 4, 64]),
    clients: prng.between(3, 8),
    keys: prng.between(2, 6),
  };
  return { ...settings, leases: prng.chance(200) };
}

/** Of streams of their own, so that a seed without hosts stays what it was. */
function hostsOf(prng: Prng, { machine }: Settings): HostSettings | null {
  if (machine !== "agency" || !prng.chance(500)) return null;
  return {
    gapUs: prng.pick([5_000, 20_000, 60_000]),
    snapshotSlots: prng.pick([5, 20, 100]),
    dataBytes: prng.pick([8, 100]),
    keepBytes: prng.pick([0, 1_000, 10_000]),
  };
}

/** Of a stream of their own again; hosts of a quarter of the seeds do not ask. */
function questionsOf(prng: Prng): number {
  return prng.pick([0, 100, 300, 1_000]);
}

function hostFaultsOf(seed: number, { hosts, faultsUs }: Settings): readonly Fault[] {
  const prng = new Prng(seed, "host faults");
  if (hosts === undefined || !prng.chance(500)) return [];
  const gapUs = prng.pick([1_000_000, 5_000_000, 15_000_000]);
  const faults: Fault[] = [];
  for (let at = second + prng.below(gapUs); at < faultsUs; at += prng.between(1, 2 * gapUs))
    faults.push({ at, type: "hostCrash", target: targetOf(prng) });
  return faults;
}

type FaultType = Exclude<MemberFault["type"], "hostCrash">;

/** How often each kind is drawn while it is on. */
const weights: readonly (readonly [FaultType, number])[] = [
  ["crash", 10],
  ["crashAll", 1],
  ["crashWhen", 8],
  ["pause", 4],
  ["cut", 12],
  ["slowLink", 3],
  ["clog", 3],
  ["reset", 3],
  ["slowDisk", 4],
  ["fullDisk", 2],
  ["flipBit", 2],
  ["load", 1],
  ["addLearner", 3],
  ["promote", 4],
  ["remove", 2],
  ["replace", 3],
  ["transfer", 3],
];

function faultsOf(seed: number, settings: Settings): readonly Fault[] {
  const prng = new Prng(seed, "faults");
  const bag: FaultType[] = [];
  for (const [type, weight] of weights)
    if (prng.chance(550) && !(settings.leases === true && type === "pause"))
      for (let i = 0; i < weight; i++) bag.push(type);
  const [first, ...rest] = bag;
  if (first === undefined) return [];
  const gapUs = prng.pick([300_000, 800_000, 2_500_000]);
  const faults: Fault[] = [];
  // The first second is the boot.
  for (let at = second; at < settings.faultsUs; at += prng.between(gapUs >> 3, 2 * gapUs))
    faults.push(faultOf(prng, prng.pick([first, ...rest]), at));
  return faults;
}

const tails: readonly [CrashTail, ...CrashTail[]] = ["lost", "prefix", "torn"];
const moments: readonly [CrashMoment, ...CrashMoment[]] = [
  "snapshotArriving",
  "snapshotArriving",
  "writing",
  "elected",
  "truncating",
  "compacting",
  // Of members: elections in joint configurations come of it.
  "changing",
  "changing",
];
const shapes: readonly [CutShape, ...CutShape[]] = [
  "halves",
  "halves",
  "one",
  "one",
  "bridge",
  "ring",
  "inbound",
  "outbound",
  "link",
];

function targetOf(prng: Prng): Target {
  return { role: prng.pick(["leader", "leader", "follower", "any"]), pick: prng.below(16) };
}

function durationOf(prng: Prng): number {
  return prng.pick([50_000, 300_000, 1_000_000, 3_000_000, 6_000_000]) + prng.below(500_000);
}

function faultOf(prng: Prng, type: FaultType, at: number): Fault {
  const target = targetOf(prng);
  const forUs = durationOf(prng);
  switch (type) {
    case "crash":
      return { at, type, target, forUs, tail: prng.pick(tails) };
    case "crashAll":
      return { at, type, forUs, tail: prng.pick(tails) };
    case "crashWhen":
      return { at, type, moment: prng.pick(moments), forUs, tail: prng.pick(tails) };
    case "cut":
      return { at, type, shape: prng.pick(shapes), target, forUs };
    case "slowLink":
    case "slowDisk":
      return { at, type, target, factor: prng.pick([10, 50, 200]), forUs };
    case "pause":
    case "clog":
    case "fullDisk":
      return { at, type, target, forUs };
    case "load":
      return { at, type, target, timeoutMult: prng.between(1, 3) };
    case "addLearner":
    case "promote":
      return { at, type };
    case "reset":
    case "flipBit":
    case "remove":
    case "replace":
    case "transfer":
      return { at, type, target };
  }
}

function requestsOf(seed: number, settings: Settings): readonly ClientRequest[] {
  const prng = new Prng(seed, "requests");
  const requests: ClientRequest[] = [];
  const gapUs = prng.pick([15_000, 40_000, 120_000]);
  const reads = prng.pick([200, 500, 800]);
  let value = 0;
  for (let at = second; at < settings.faultsUs; at += prng.between(1, 2 * gapUs)) {
    const client = prng.below(settings.clients);
    const key = prng.below(settings.keys);
    value += 1;
    if (prng.chance(15)) {
      const count = prng.between(5, 40);
      requests.push({ at, client, type: "burst", count, value });
      value += count;
    } else if (prng.chance(reads)) requests.push({ at, client, type: "read", key });
    else requests.push({ at, client, type: prng.chance(300) ? "cas" : "write", key, value });
  }
  return requests;
}
