import type { ClusterSettings, Fault, Scenario, Settings } from "../scenario.ts";
import type { SimService } from "./scripts.ts";

/** Milder settings of a cluster, the mildest first. */
export function milderClusters(settings: Settings): readonly Partial<Settings>[] {
  const { cluster, members } = settings;
  if (cluster === undefined) return [];
  const { bootstrap, ...known } = cluster;
  const calm = { saveSlowness: 1, loss: 0, duplicate: 0, straggle: 0 };
  const mild: Partial<Settings>[] = [
    ...(bootstrap === undefined
      ? []
      : [{ cluster: known }, { cluster: { ...known, bootstrap: { ...bootstrap, ...calm } } }]),
    { cluster: { ...cluster, turnMaxUs: cluster.turnMinUs } },
    { cluster: { ...cluster, snapshotRecords: 1_000_000 }, compactEntries: 1_000_000 },
  ];
  for (let satellites = cluster.satellites - 1; satellites >= 0; satellites--)
    mild.unshift({ cluster: withFewer(cluster, members, satellites) });
  if (members > 1)
    mild.unshift({
      members: 1,
      ...(bootstrap === undefined ? {} : { cluster: withFewer(cluster, 1, cluster.satellites) }),
    });
  const { jobs } = cluster;
  // The last that breaks the rule is kept, so the fewest come last.
  for (const count of [100, 10, 3, 1])
    if (jobs !== undefined && count < jobs.count)
      mild.push({ cluster: { ...cluster, jobs: { ...jobs, count } } });
  return mild;
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
