import type { Rules } from "@halon/rules";
import type { SimService } from "./cluster/scripts.ts";
import type { BootstrapSettings, ClusterSettings, Scenario } from "./scenario.ts";

/** What a stage begins with. All that is left out is plain: no loss, even clocks, quick disks. */
export interface StageOptions {
  /** Nodes with a member, `node-1` and on; 3 by default. */
  readonly tracking?: number;
  /** Nodes without one, named after those. */
  readonly satellites?: number;
  /** Labels of nodes by name, `key=value`. */
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  /** What can be deployed, by name. */
  readonly services?: Readonly<Record<string, Partial<Omit<SimService, "name">>>>;
  /** The breaker trips at so many nodes, if they are more than this share of all in percent. */
  readonly breaker?: { readonly nodes: number; readonly percent: number };
  /** How the recover and fence commands of the cluster file end; none is there where it is left out. */
  readonly hooks?: ClusterSettings["hooks"];
  /** A rule file, `site`, whose rules act after the built-in ones. */
  readonly rules?: Rules;
  /** How fast the clocks of the nodes run, in a thousand, by name; 1000 where it is left out. */
  readonly clockRates?: Readonly<Record<string, number>>;
  /** The nodes do not know each other when they start. */
  readonly bootstrap?: StageBootstrap;
  readonly seed?: number;
}

/** How the nodes of a stage find each other; all that is left out is plain. */
export interface StageBootstrap {
  /** When a node is started first, by name; ms. At once where it is left out, never: infinity. */
  readonly startMs?: Readonly<Record<string, number>>;
  /** Whom a node is told to join, by name; nobody: it is the master. `node-1` where it is left out, which is the master itself. */
  readonly join?: Readonly<Record<string, readonly string[]>>;
  /** The first nodes are the tracking nodes, as with `--local`; else whoever comes first. */
  readonly byNumber?: boolean;
  /** Of what nodes say to each other before they know each other; in a thousand. */
  readonly loss?: number;
  readonly duplicate?: number;
  readonly straggle?: number;
  /** How many times as slowly as other things a setup is written. */
  readonly saveSlowness?: number;
}

/** Longer than any stage lasts; µs. */
export const forEverUs = 1e13;

const plainService: Omit<SimService, "name"> = {
  kind: "process",
  placement: { type: "any", replicas: 1 },
  exclusive: false,
  apart: [],
  after: [],
  prefer: [],
  onNodeLoss: "move",
  restart: {
    resetAfterMs: 10_000,
    backoffMs: 100,
    backoffMaxMs: 30_000,
    maxFailures: 5,
    windowMs: 60_000,
    configTries: 3,
  },
  stopTimeoutMs: 2_000,
  startTimeoutMs: 5_000,
  checkEveryMs: 1_000,
  livenessFailures: 3,
  script: { readyUs: 20_000, stopUs: 10_000, answerUs: 1_000, memoryMb: 20 },
};

/** A calm cluster, in which nothing happens by itself. */
export function scenarioOf(options: StageOptions): Scenario {
  const { tracking = 3, satellites = 0, labels = {}, services = {}, seed = 1 } = options;
  const { nodes, percent } = options.breaker ?? { nodes: 3, percent: 34 };
  const names = Array.from({ length: tracking + satellites }, (_, slot) => `node-${slot + 1}`);
  return {
    format: 1,
    seed,
    settings: {
      machine: "agency",
      members: tracking,
      faultsUs: forEverUs,
      ordered: true,
      delayMinUs: 200,
      delayMaxUs: 400,
      loss: 0,
      duplicate: 0,
      straggle: 0,
      corrupt: 0,
      diskMinUs: 200,
      diskMaxUs: 400,
      clockRates: Array.from(
        { length: 16 },
        (_, slot) => options.clockRates?.[`node-${slot + 1}`] ?? 1_000,
      ),
      compactEntries: 200,
      keepEntries: 20,
      snapshotChunkBytes: 65_536,
      appendBytesMax: 1_048_576,
      inflightMax: 64,
      clients: 0,
      keys: 0,
      cluster: {
        satellites,
        labels: names.map((name) => labels[name] ?? []),
        services: Object.entries(services).map(([name, service]) => ({
          ...plainService,
          ...service,
          name,
        })),
        breakerNodes: nodes,
        breakerPercent: percent,
        ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
        ...(options.bootstrap === undefined
          ? {}
          : { bootstrap: bootstrapOf(options.bootstrap, names) }),
        turnMinUs: 20,
        turnMaxUs: 40,
        snapshotRecords: 100,
      },
    },
    faults: [],
    requests: [],
  };
}

function bootstrapOf(
  { startMs = {}, join = {}, byNumber = false, ...network }: StageBootstrap,
  names: readonly string[],
): BootstrapSettings {
  const { saveSlowness = 1, loss = 0, duplicate = 0, straggle = 0 } = network;
  return {
    startUs: names.map((name) => Math.min(forEverUs, (startMs[name] ?? 0) * 1_000)),
    join: names.map((name, slot) =>
      (join[name] ?? (slot === 0 ? [] : ["node-1"])).map((other) => names.indexOf(other)),
    ),
    byNumber,
    saveSlowness,
    loss,
    duplicate,
    straggle,
  };
}
