import { z } from "zod";
import { Name } from "./id.ts";
import { NodeRole } from "./kind.ts";

/** Version of what nodes say to each other while a cluster begins. */
export const helloProtocol = 1;

/** At most so many nodes are part of a cluster while it begins; later ones are known by the graph alone. */
export const peersMax = 1_000;

/** `HOST:PORT` of a node; an IPv6 address stands in brackets. */
export const HostPort = z
  .string()
  .max(300)
  .regex(
    /^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253}):[1-9][0-9]{0,4}$/,
    "expected HOST:PORT, such as 10.0.0.1:8528",
  )
  .refine((text) => Number(text.slice(text.lastIndexOf(":") + 1)) <= 65_535, "expected a port");

/** How many nodes form the tracking station. */
export const AgencySize = z.union([z.literal(1), z.literal(3), z.literal(5), z.literal(7)]);
export type AgencySize = z.infer<typeof AgencySize>;

/** A node as the configuration of the cluster lists it (rfc/0007). */
export const Peer = z.strictObject({
  id: z.uuid(),
  name: Name,
  /** How other nodes reach it. */
  address: HostPort,
  role: NodeRole,
});
export type Peer = z.infer<typeof Peer>;

/** What a cluster is made of; final, as for its tracking nodes, once it is complete (rfc/0007). */
export const ClusterConfig = z.strictObject({
  clusterId: z.uuid(),
  agencySize: AgencySize,
  /** `embedded`, or the URL of a store, without credentials. */
  store: z.string().min(1).max(2_000),
  complete: z.boolean(),
  /** The master is the first. */
  peers: z.array(Peer).min(1).max(peersMax),
});
export type ClusterConfig = z.infer<typeof ClusterConfig>;

/** Body of `POST /hello`: a node that wants to be part of the cluster (rfc/0007). */
export const HelloRequest = z.strictObject({
  id: z.uuid(),
  name: Name,
  address: HostPort,
  /** `<host of its address>:<path>`: two nodes must not have the same. */
  dataDir: z.string().min(1).max(5_000),
  protocol: z.number().int(),
  /** Null when it has none yet. */
  clusterId: z.uuid().nullable(),
  /** Whether it may be a tracking node. */
  agency: z.boolean(),
  /** What it was told; null: whatever the master has. */
  agencySize: AgencySize.nullable(),
  store: z.string().min(1).max(2_000).nullable(),
});
export type HelloRequest = z.infer<typeof HelloRequest>;
