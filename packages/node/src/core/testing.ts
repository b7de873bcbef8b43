import type { Setup } from "./bootstrap-setup.ts";

/** Id of the node with the number. */
export function nodeId(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

/** A setup of a first start: node-N at 10.0.0.N. */
export function setupOf(number: number, changes: Partial<Setup> = {}): Setup {
  return {
    format: 2,
    id: nodeId(number),
    name: `node-${number}`,
    listen: { host: `10.0.0.${number}`, port: 8528 },
    advertise: null,
    mode: "cluster",
    phase: "joining",
    role: null,
    clusterId: null,
    agencySize: null,
    store: null,
    peers: [],
    join: [],
    secretFile: null,
    local: null,
    incarnation: 1_000,
    ...changes,
  };
}
