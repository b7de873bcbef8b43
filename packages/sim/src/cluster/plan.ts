import { Prng } from "../prng.ts";
import type {
  ClusterFault,
  ClusterSettings,
  Fault,
  InstanceTarget,
  MemberFault,
  NodeTarget,
  Scenario,
  Settings,
} from "../scenario.ts";
import { bootstrapFaultsOf, bootstrapOf } from "./plan-bootstrap.ts";
import { bootUs, memberWishesOf, wishesOf } from "./plan-wishes.ts";
import type { SimPlacement, SimService } from "./scripts.ts";

/** What the caller fixes of a cluster; the seed draws the rest. */
export interface ClusterPlanOptions {
  /** Null: 1, 3 or 5, as the seed draws. */
  readonly tracking: number | null;
  /** Null: 0 to 4. */
  readonly satellites: number | null;
  /** Of the phase with faults, in simulated seconds. */
  readonly seconds: number;
}

const second = 1_000_000;
/** Draws a scenario of whole nodes from a seed. */
export function clusterPlanOf(seed: number, options: ClusterPlanOptions): Scenario {
  const prng = new Prng(seed, "cluster");
  const members = options.tracking ?? prng.pick([1, 3, 3, 3, 5]);
  const satellites = options.satellites ?? prng.pick([0, 1, 2, 2, 3, 4]);
  const bootstrap = bootstrapOf(seed, members, satellites);
  const cluster = {
    ...clusterSettingsOf(seed, members, satellites),
    ...(bootstrap === null ? {} : { bootstrap }),
  };
  const settings = settingsOf(seed, members, options.seconds, cluster);
  const faults = [
    ...wishesOf(seed, settings, cluster),
    ...clusterFaultsOf(seed, settings, cluster),
    ...memberWishesOf(seed, settings),
    ...(bootstrap === null ? [] : bootstrapFaultsOf(seed, bootstrap)),
  ];
  return {
    format: 1,
    seed,
    settings,
    faults: faults.sort((left, right) => left.at - right.at),
    requests: [],
  };
}

function settingsOf(
  seed: number,
  members: number,
  seconds: number,
  cluster: ClusterSettings,
): Settings {
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
    faultsUs: seconds * second,
    ordered: true,
    delayMinUs,
    delayMaxUs: delayMinUs * prng.pick([2, 5, 10]),
    loss: isRough ? prng.pick([0, 5, 20]) : 0,
    duplicate: 0,
    straggle: isRough ? prng.pick([0, 5, 20]) : 0,
    corrupt: 0,
    diskMinUs,
    diskMaxUs: diskMinUs * prng.pick([2, 5, 10]),
    clockRates,
    compactEntries: prng.pick([20, 50, 200]),
    keepEntries: prng.pick([0, 5, 50]),
    snapshotChunkBytes: prng.pick([4_096, 65_536]),
    appendBytesMax: prng.pick([65_536, 1_048_576]),
    inflightMax: prng.pick([4, 64]),
    clients: 0,
    keys: 0,
    cluster,
  };
}

function clusterSettingsOf(seed: number, members: number, satellites: number): ClusterSettings {
  const prng = new Prng(seed, "cluster settings");
  const nodes = members + satellites;
  const labels: string[][] = [];
  for (let slot = 0; slot < nodes; slot++)
    labels.push([`rack=${prng.pick(["a", "b"])}`, ...(prng.chance(500) ? ["disk=fast"] : [])]);
  const turnMinUs = prng.pick([20, 50]);
  return {
    satellites,
    labels,
    services: servicesOf(seed, nodes),
    breakerNodes: prng.pick([2, 3, 3]),
    breakerPercent: prng.pick([25, 34, 50]),
    turnMinUs,
    turnMaxUs: turnMinUs * prng.pick([2, 4]),
    snapshotRecords: prng.pick([10, 30, 100]),
  };
}

function servicesOf(seed: number, nodes: number): readonly SimService[] {
  const prng = new Prng(seed, "services");
  const count = prng.between(5, 20);
  const services: SimService[] = [];
  for (let i = 0; i < count; i++) {
    const exclusive = prng.chance(250);
    const earlier = services.map(({ name }) => name);
    const another = (perMille: number): readonly string[] => {
      const drawn = prng.chance(perMille);
      const name = earlier[prng.below(earlier.length)];
      return drawn && name !== undefined ? [name] : [];
    };
    const placement = placementOf(prng, nodes, exclusive);
    services.push({
      name: `s${i + 1}`,
      kind: exclusive || prng.chance(500) ? "process" : "worker",
      placement,
      exclusive,
      ...(prng.chance(60) ? { serviceName: "shared" } : {}),
      apart: another(120),
      after: another(120),
      prefer: prng.chance(200)
        ? [prng.chance(500) ? "rack=a" : `node-${1 + prng.below(nodes)}`]
        : [],
      onNodeLoss: prng.chance(850) ? "move" : "wait",
      restart: {
        resetAfterMs: prng.pick([500, 2_000, 10_000]),
        backoffMs: prng.pick([50, 100, 500]),
        backoffMaxMs: prng.pick([2_000, 5_000]),
        maxFailures: prng.pick([3, 5, 10]),
        windowMs: prng.pick([10_000, 60_000]),
        configTries: prng.pick([1, 2, 3]),
      },
      startTimeoutMs: prng.pick([1_000, 3_000, 5_000]),
      stopTimeoutMs: prng.pick([500, 1_000, 3_000]),
      checkEveryMs: prng.pick([500, 2_000, 5_000]),
      livenessFailures: prng.pick([1, 2, 3]),
      script: {
        readyUs: prng.pick([1_000, 20_000, 200_000]),
        stopUs: prng.pick([1_000, 20_000, 300_000]),
        answerUs: prng.pick([200, 2_000, 50_000]),
        memoryMb: prng.between(10, 60),
      },
    });
  }
  return services;
}

function placementOf(prng: Prng, nodes: number, exclusive: boolean): SimPlacement {
  const type = exclusive
    ? prng.pick(["any", "any", "label", "node"] as const)
    : prng.pick(["every", "any", "any", "any", "label", "node"] as const);
  const replicas = exclusive ? 1 : prng.between(1, 3);
  switch (type) {
    case "every":
      return { type };
    case "any":
      return { type, replicas };
    case "label":
      return { type, label: prng.pick(["rack=a", "rack=b", "disk=fast"]), replicas };
    case "node":
      return { type, node: `node-${1 + prng.below(nodes)}` };
  }
}

type KindOf = MemberFault["type"] | ClusterFault["type"];

/** How often each kind is drawn while it is on. */
const weights: readonly (readonly [KindOf, number])[] = [
  ["crashNode", 10],
  ["loseMachine", 4],
  ["pauseNode", 4],
  ["crashNodes", 2],
  ["crashCoordinator", 4],
  ["hangCoordinator", 3],
  ["crashSupervisor", 3],
  ["jumpWall", 2],
  ["slowNode", 3],
  ["cutNode", 8],
  ["resetLinks", 4],
  ["crashService", 14],
  ["hangService", 5],
  ["failCheck", 4],
  ["trouble", 4],
  ["exitService", 3],
  ["leak", 3],
  ["slowStart", 3],
  ["failStart", 5],
  ["ignoreStop", 4],
  ["fork", 4],
  ["flap", 3],
  ["cut", 6],
  ["slowLink", 2],
  ["clog", 2],
  ["reset", 2],
  ["slowDisk", 3],
  ["fullDisk", 1],
  ["crashWhen", 5],
  ["load", 1],
  ["transfer", 4],
];

function clusterFaultsOf(
  seed: number,
  { faultsUs }: Settings,
  cluster: ClusterSettings,
): readonly Fault[] {
  const prng = new Prng(seed, "faults");
  const bag: KindOf[] = [];
  for (const [type, weight] of weights)
    if (prng.chance(500)) for (let i = 0; i < weight; i++) bag.push(type);
  const [first, ...rest] = bag;
  if (first === undefined) return [];
  const gapUs = prng.pick([1_000_000, 3_000_000, 8_000_000]);
  const faults: Fault[] = [];
  for (
    let at = bootUs + prng.below(gapUs);
    at < faultsUs;
    at += prng.between(gapUs >> 3, 2 * gapUs)
  )
    faults.push(faultOf(prng, prng.pick([first, ...rest]), at, cluster.services.length));
  return faults;
}

function nodeTargetOf(prng: Prng): NodeTarget {
  return {
    role: prng.pick(["leader", "tracking", "satellite", "any", "any"]),
    pick: prng.below(16),
  };
}

function instanceTargetOf(prng: Prng): InstanceTarget {
  return { of: prng.pick(["exclusive", "orphan", "any", "any"]), pick: prng.below(64) };
}

function durationOf(prng: Prng): number {
  return (
    prng.pick([100_000, 600_000, 1_500_000, 3_000_000, 6_000_000, 15_000_000]) + prng.below(500_000)
  );
}

function faultOf(prng: Prng, type: KindOf, at: number, services: number): Fault {
  const node = nodeTargetOf(prng);
  const instance = instanceTargetOf(prng);
  const forUs = durationOf(prng);
  const target = {
    role: prng.pick(["leader", "leader", "follower", "any"] as const),
    pick: node.pick,
  };
  switch (type) {
    case "crashNode":
    case "loseMachine":
    case "hangCoordinator":
      return { at, type, node, forUs };
    case "pauseNode":
      return { at, type, node, forUs: Math.min(forUs, 7_000_000) };
    case "crashNodes":
      return { at, type, share: prng.pick([400, 600, 1_000]), forUs };
    case "crashCoordinator":
    case "crashSupervisor":
    case "resetLinks":
      return { at, type, node };
    case "jumpWall":
      return { at, type, node, byMs: prng.pick([-3_600_000, -1_000, 1_000, 3_600_000]) };
    case "slowNode":
      return { at, type, node, byUs: prng.pick([5_000, 50_000, 300_000, 900_000]), forUs };
    case "cutNode":
      return { at, type, node, shape: prng.pick(["both", "both", "inbound", "outbound"]), forUs };
    case "crashService":
      return { at, type, instance, code: prng.pick([0, 1, 137]) };
    case "hangService":
    case "trouble":
    case "exitService":
    case "leak":
      return { at, type, instance };
    case "failCheck":
      return { at, type, instance, forUs };
    case "slowStart":
    case "failStart":
    case "ignoreStop":
    case "fork":
    case "flap":
      return {
        at,
        type,
        service: prng.below(services),
        times: type === "fork" ? 12 : prng.pick([1, 1, 2, 4, 12]),
      };
    default:
      return memberFaultOf(prng, type, at, target, forUs);
  }
}

function memberFaultOf(
  prng: Prng,
  type: MemberFault["type"],
  at: number,
  target: { readonly role: "leader" | "follower" | "any"; readonly pick: number },
  forUs: number,
): Fault {
  switch (type) {
    case "crashWhen": {
      const moment = prng.pick(["writing", "elected", "truncating", "compacting"] as const);
      return { at, type, moment, forUs, tail: prng.pick(["lost", "prefix", "torn"]) };
    }
    case "cut":
      return { at, type, shape: prng.pick(["halves", "bridge", "link"]), target, forUs };
    case "slowLink":
    case "slowDisk":
      return { at, type, target, factor: prng.pick([10, 50]), forUs };
    case "load":
      return { at, type, target, timeoutMult: prng.between(1, 3) };
    case "clog":
    case "fullDisk":
      return { at, type, target, forUs };
    default:
      return { at, type: type === "reset" ? type : "transfer", target };
  }
}
