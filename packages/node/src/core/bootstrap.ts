import {
  type AgencySize,
  type ClusterConfig,
  type ErrorCode,
  type HelloRequest,
  helloProtocol,
  type Peer,
  peersMax,
} from "@halon/protocol";
import { addressOf, type Setup } from "./bootstrap-setup.ts";

/** What comes of a hello. */
export type HelloVerdict =
  | { readonly type: "config"; readonly config: ClusterConfig }
  | { readonly type: "refused"; readonly code: ErrorCode; readonly message: string };

const agencySizeDefault: AgencySize = 3;

/** The configuration that a master begins with. */
export function masterConfig(setup: Setup, clusterId: string): ClusterConfig {
  const self: Peer = {
    id: setup.id,
    name: setup.name,
    address: addressOf(setup),
    role: "tracking",
  };
  return completed({
    clusterId: setup.clusterId ?? clusterId,
    agencySize: setup.agencySize ?? agencySizeDefault,
    store: setup.store ?? "embedded",
    complete: false,
    peers: setup.peers.length === 0 ? [self] : setup.peers,
  });
}

/** The master's decision on a hello; `dataDirs` is what each peer said of its own, by id. */
export function takeHello(
  config: ClusterConfig,
  dataDirs: ReadonlyMap<string, string>,
  request: HelloRequest,
): HelloVerdict {
  const refusal = refusalOf(config, request) ?? takenDataDir(config, dataDirs, request);
  if (refusal !== null) return refusal;
  if (config.peers.some(({ id }) => id === request.id)) return { type: "config", config };
  const isWanted = request.agency && missingNodes(config) > 0;
  const role = isWanted ? "tracking" : "satellite";
  return { type: "config", config: completed(withPeer(config, request, role)) };
}

/**
 * What a complete cluster answers to a hello: its configuration to its own, a satellite's to a new node.
 *
 * Only the leader may take in a new node. `nodes` are those of the graph; the satellite becomes one of them when it
 * attaches.
 */
export function lateHello(
  config: ClusterConfig,
  request: HelloRequest,
  nodes: readonly Pick<Peer, "name" | "address">[] = [],
): HelloVerdict {
  const refusal = refusalOf(config, request);
  if (refusal !== null) return refusal;
  if (isPeer(config, request)) return { type: "config", config };
  const taken = nodes.find(
    ({ name, address }) => name === request.name || address === request.address,
  );
  if (taken !== undefined)
    return taken.name === request.name
      ? nameTaken(request, taken, true)
      : addressTaken(request, taken);
  return { type: "config", config: withPeer(config, request, "satellite") };
}

/** Whether the sender is listed in the configuration. */
export function isPeer(config: ClusterConfig, request: HelloRequest): boolean {
  return config.peers.some(({ id }) => id === request.id);
}

/** How many tracking nodes are still to come. */
export function missingNodes({ agencySize, peers }: ClusterConfig): number {
  return agencySize - peers.filter(({ role }) => role === "tracking").length;
}

function completed(config: ClusterConfig): ClusterConfig {
  return missingNodes(config) > 0 ? config : { ...config, complete: true };
}

function withPeer(
  config: ClusterConfig,
  { id, name, address }: HelloRequest,
  role: Peer["role"],
): ClusterConfig {
  return { ...config, peers: [...config.peers, { id, name, address, role }] };
}

/** Why the sender cannot be part of this cluster, as far as the configuration tells. */
function refusalOf(config: ClusterConfig, request: HelloRequest): HelloVerdict | null {
  const { clusterId, agencySize, store, peers, complete } = config;
  if (request.protocol !== helloProtocol) {
    return conflict(
      `${request.name} speaks version ${request.protocol} of the protocol, this cluster ${helloProtocol}. Start the same version of halond on both.`,
    );
  }
  if (request.clusterId !== null && request.clusterId !== clusterId) {
    return conflict(
      `${request.name} belongs to the cluster ${request.clusterId}, and this is the cluster ${clusterId}. Join the nodes of its own cluster, or start it with --forget-setup to leave that for ever.`,
    );
  }
  if (request.agencySize !== null && request.agencySize !== agencySize) {
    return conflict(
      `${request.name} was told --agency-size ${request.agencySize}, and this cluster has ${agencySize}. Leave the option out.`,
    );
  }
  if (request.store !== null && request.store !== store) {
    return conflict(
      `${request.name} was told --store ${request.store}, and this cluster has ${store}. Leave the option out.`,
    );
  }
  const known = peers.find(({ id }) => id === request.id);
  if (known !== undefined) return changed(known, request);
  const namesake = peers.find(({ name }) => name === request.name);
  if (namesake !== undefined) return nameTaken(request, namesake, complete);
  const neighbour = peers.find(({ address }) => address === request.address);
  if (neighbour !== undefined) return addressTaken(request, neighbour);
  if (peers.length < peersMax) return null;
  const message = `The cluster begins with ${peersMax} nodes already. Join it when it runs.`;
  return { type: "refused", code: "HAL_TOO_MANY", message };
}

function changed(known: Peer, { name, address }: HelloRequest): HelloVerdict | null {
  if (known.name === name && known.address === address) return null;
  return conflict(
    `The node ${known.id} is ${known.name} at ${known.address}, and now says that it is ${name} at ${address}. A node has one data directory: use no copy of it, and start it as it was.`,
  );
}

function nameTaken(
  { name, address }: HelloRequest,
  known: Pick<Peer, "address">,
  complete: boolean,
): HelloVerdict {
  const remedy = complete
    ? "if it lost its data directory, its old name stays with what was lost"
    : "if it lost its data directory, restore that, or begin again on all machines with --forget-setup";
  return conflict(
    `The name ${name} belongs to another id, at ${known.address}, and ${address} asks for it. Start this node with another --name; ${remedy}`,
  );
}

function addressTaken({ name, address }: HelloRequest, known: Pick<Peer, "name">): HelloVerdict {
  return conflict(
    `The address ${address} belongs to the node ${known.name}, and ${name} asks for it. Say with --advertise HOST:PORT how this node is reached.`,
  );
}

function takenDataDir(
  { peers }: ClusterConfig,
  dataDirs: ReadonlyMap<string, string>,
  request: HelloRequest,
): HelloVerdict | null {
  const other = peers.find(({ id }) => id !== request.id && dataDirs.get(id) === request.dataDir);
  if (other === undefined) return null;
  return conflict(
    `The data directory ${request.dataDir} is that of the node ${other.name}, and ${request.name} says the same. Give each node its own --data-dir.`,
  );
}

function conflict(message: string): HelloVerdict {
  return { type: "refused", code: "HAL_CONFLICT", message };
}
