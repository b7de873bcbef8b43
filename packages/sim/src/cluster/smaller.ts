import type { ClusterSettings, Fault, Scenario, Settings } from "../scenario.ts";
import type { SimService } from "./scripts.ts";

/** Changes of one kind, the mildest first. */
type Milder = (settings: Settings) => readonly Partial<Settings>[];

/** The same of a cluster. */
type MilderCluster = (cluster: ClusterSettings, members: number) => readonly Partial<Settings>[];

function ofCluster(milder: MilderCluster): Milder {
  return ({ cluster, members }) => (cluster === undefined ? [] : milder(cluster, members));
}

/** Milder settings of a cluster; nothing for members alone. Of each kind, the mildest come first. */
export const milderClusters: readonly Milder[] = [
  fewerMembers,
  fewerSatellites,
  calmerBeginnings,
  ofTurns,
  ofSnapshots,
  fewerJobs,
].map(ofCluster);

function fewerMembers(cluster: ClusterSettings, members: number): readonly Partial<Settings>[] {
  return [1, 3]
    .filter((few) => few < members)
    .map((few) => ({
      members: few,
      cluster: withFewer(cluster, few, cluster.satellites),
    }));
}

function fewerSatellites(cluster: ClusterSettings, members: number): readonly Partial<Settings>[] {
  return [...Array(cluster.satellites).keys()].map((satellites) => ({
    cluster: withFewer(cluster, members, satellites),
  }));
}

function calmerBeginnings({ bootstrap, ...known }: ClusterSettings): readonly Partial<Settings>[] {
  if (bootstrap === undefined) return [];
  const calm = { saveSlowness: 1, loss: 0, duplicate: 0, straggle: 0 };
  return [{ cluster: known }, { cluster: { ...known, bootstrap: { ...bootstrap, ...calm } } }];
}

function ofTurns(cluster: ClusterSettings): readonly Partial<Settings>[] {
  return [{ cluster: { ...cluster, turnMaxUs: cluster.turnMinUs } }];
}

/** None at all, or so often that few events lead to one. */
function ofSnapshots(cluster: ClusterSettings): readonly Partial<Settings>[] {
  const never = 1_000_000;
  return [
    { cluster: { ...cluster, snapshotRecords: never }, compactEntries: never },
    ...[1, 3, 8].map((snapshotRecords) => ({ cluster: { ...cluster, snapshotRecords } })),
  ];
}

function fewerJobs(cluster: ClusterSettings): readonly Partial<Settings>[] {
  const { jobs } = cluster;
  if (jobs === undefined) return [];
  return [1, 3, 10, 100]
    .filter((count) => count < jobs.count)
    .map((count) => ({ cluster: { ...cluster, jobs: { ...jobs, count } } }));
}

/** The cluster with fewer nodes: nobody joins one that is not there, and one of them is the master. */
function withFewer(cluster: ClusterSettings, members: number, satellites: number): ClusterSettings {
  const { bootstrap } = cluster;
  if (bootstrap === undefined) return { ...cluster, satellites };
  const isThere = (slot: number): boolean => slot < members + satellites;
  const hasMaster = bootstrap.join.some((joined, slot) => isThere(slot) && joined.length === 0);
  const isListed = bootstrap.join.every((joined) => joined.length > 1);
  const join = bootstrap.join.map((joined, slot) => {
    const left = joined.filter(isThere);
    if (isListed && left.length > 1) return left;
    if (slot === 0 && !hasMaster) return [];
    return joined.length > 0 && left.length === 0 ? [0] : left;
  });
  return { ...cluster, satellites, bootstrap: { ...bootstrap, join } };
}

/** The scenario with these of its services alone: what is about others is left out. */
export function withServices(scenario: Scenario, kept: readonly number[]): Scenario {
  const { cluster } = scenario.settings;
  if (cluster === undefined) return scenario;
  const places = new Map(kept.map((old, place) => [old, place]));
  const services = kept.flatMap((old) => cluster.services[old] ?? []);
  const names = new Set(services.map(({ name }) => name));
  return {
    ...scenario,
    settings: {
      ...scenario.settings,
      cluster: { ...cluster, services: services.map((service) => knowing(service, names)) },
    },
    faults: scenario.faults.flatMap((fault) => moved(fault, places)),
  };
}

function knowing(service: SimService, names: ReadonlySet<string>): SimService {
  const { apart, after } = service;
  const isKnown = (name: string): boolean => names.has(name);
  return { ...service, apart: apart.filter(isKnown), after: after.filter(isKnown) };
}

function moved(fault: Fault, places: ReadonlyMap<number, number>): readonly Fault[] {
  if ("services" in fault) {
    const services = fault.services.flatMap((old) => places.get(old) ?? []);
    return services.length === 0 ? [] : [{ ...fault, services }];
  }
  if (!("service" in fault)) return [fault];
  const service = places.get(fault.service);
  return service === undefined ? [] : [{ ...fault, service }];
}

/** Positions of all services. */
export function positionsOf(cluster: ClusterSettings): readonly number[] {
  return cluster.services.map((_, position) => position);
}

/** The fault with a shorter time; null when there is none to shorten. */
export function shorter(fault: Fault): Fault | null {
  const leastUs = 100_000;
  if (!("forUs" in fault) || fault.forUs <= leastUs) return null;
  return { ...fault, forUs: Math.max(leastUs, fault.forUs >> 2) };
}
