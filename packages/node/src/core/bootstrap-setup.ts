import {
  AgencySize,
  type ClusterConfig,
  HostPort,
  Name,
  NodeRole,
  Peer,
  peersMax,
} from "@halon/protocol";
import { z } from "zod";

/** Format of `setup.json` that this halond writes. */
export const setupFormat = 2;

/** The port that is meant where none is said. */
export const defaultPort = 8528;

/** Who a node is and what it belongs to: the content of `setup.json` (rfc/0007). */
export const Setup = z.strictObject({
  format: z.literal(setupFormat),
  id: z.uuid(),
  name: Name,
  listen: z.strictObject({
    host: z.string().min(1).max(253),
    port: z.number().int().min(0).max(65_535),
  }),
  /** Null: at the listen address. */
  advertise: HostPort.nullable(),
  /** `single`: agency size 1 and no joins. */
  mode: z.enum(["single", "cluster"]),
  phase: z.enum(["joining", "complete"]),
  /** Null while joining. */
  role: NodeRole.nullable(),
  /** Null until it is the master, or has been answered by it; so are the next two where nobody said them. */
  clusterId: z.uuid().nullable(),
  agencySize: AgencySize.nullable(),
  /** `embedded` or a URL without credentials. */
  store: z.string().min(1).max(2_000).nullable(),
  /** The master is the first; empty while nobody is known. */
  peers: z.array(Peer).max(peersMax),
  /** Whom to say hello to, while joining. */
  join: z.array(HostPort).max(peersMax),
  /** Path of the file that holds the secret. */
  secretFile: z.string().nullable(),
  /** Number within `--local`. */
  local: z.number().int().nullable(),
  /** Of the last start; grows with each. */
  incarnation: z.number().int(),
});
export type Setup = z.infer<typeof Setup>;

/** The setup of a node whose cluster is complete. */
export type CompleteSetup = Setup & {
  readonly phase: "complete";
  readonly role: "tracking" | "satellite";
  readonly clusterId: string;
  readonly agencySize: AgencySize;
  readonly store: string;
};

/** The options of a start that a setup keeps; what is undefined was not given. */
export interface SetupOptions {
  readonly name: string | undefined;
  readonly listen: Setup["listen"] | undefined;
  readonly advertise: string | undefined;
  readonly join: readonly string[];
  readonly agencySize: AgencySize | undefined;
  readonly local: number | undefined;
  readonly store: string | undefined;
}

/** `host:port`; an IPv6 address gets its brackets. */
export function hostPort({ host, port }: Setup["listen"]): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** `host:port` at which other nodes reach this one. */
export function addressOf(setup: Pick<Setup, "advertise" | "listen">): string {
  return setup.advertise ?? hostPort(setup.listen);
}

/** Whether the cluster is complete as far as this node knows. */
export function isComplete(setup: Setup): setup is CompleteSetup {
  return setup.phase === "complete";
}

/** Whether this node makes the configuration that others join. */
export function isMaster(setup: Setup): boolean {
  return setup.clusterId !== null && setup.peers[0]?.id === setup.id;
}

/** The configuration in the setup; null when there is none yet. */
export function configOf(setup: Setup): ClusterConfig | null {
  const { clusterId, agencySize, store, peers } = setup;
  if (clusterId === null || agencySize === null || store === null) return null;
  return { clusterId, agencySize, store, complete: setup.phase === "complete", peers };
}

/** The setup with what the configuration says. The node must be listed in it. */
export function withConfig(setup: Setup, config: ClusterConfig): Setup {
  const { clusterId, agencySize, store, complete, peers } = config;
  const role = peers.find(({ id }) => id === setup.id)?.role ?? null;
  return {
    ...setup,
    clusterId,
    agencySize,
    store,
    peers,
    phase: complete ? "complete" : "joining",
    role: complete ? role : null,
  };
}

/** What contradicts itself in a setup, as a sentence without its end; null when nothing does. */
export function contradictionIn(setup: Setup): string | null {
  const { peers, clusterId, agencySize, store } = setup;
  for (const field of ["id", "name", "address"] as const) {
    const twice = duplicateOf(peers.map((peer) => peer[field]));
    if (twice !== undefined) return `two peers have the ${field} ${twice}`;
  }
  if (setup.listen.port === 0) return "its port is 0";
  if (peers.length > 0 && (clusterId === null || agencySize === null || store === null))
    return "it has peers and no cluster";
  const self = peers.find(({ id }) => id === setup.id);
  if (peers.length > 0 && self === undefined) return "its own id is not among its peers";
  if (self !== undefined && (self.name !== setup.name || self.address !== addressOf(setup)))
    return `its own peer is ${self.name} at ${self.address}, itself ${setup.name} at ${addressOf(setup)}`;
  if (setup.phase === "joining")
    return setup.role === null ? null : "it has a role and still joins";
  if (self === undefined || self.role !== setup.role) return "its role is not that of its peer";
  const tracking = peers.filter(({ role }) => role === "tracking").length;
  return tracking === agencySize
    ? null
    : `it is complete with ${tracking} tracking nodes instead of ${agencySize}`;
}

function duplicateOf(values: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return values.find((value) => seen.size === seen.add(value).size);
}
