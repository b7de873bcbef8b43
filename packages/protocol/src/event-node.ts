import { z } from "zod";
import { defineEvent, Reason } from "./event-type.ts";
import { CommandId, InstanceId, Name } from "./id.ts";
import { Health, InstanceState, NodeRole } from "./kind.ts";

/** An instance as its node sees it, part of an inventory. */
export const InventoryInstance = z.strictObject({
  instance: InstanceId,
  service: Name,
  type: Name,
  version: z.string(),
  state: z.enum(["starting", "running", "stopping"]),
  health: Health,
  osPid: z.number().int().optional(),
});
export type InventoryInstance = z.infer<typeof InventoryInstance>;

/** A part of Halon itself on a node: it is in the graph and in `service list` as a service of that name. */
export const InternalPart = z.strictObject({
  part: z.enum(["halon-supervisor", "halon-agency", "halon-coordinator", "halon-recovery"]),
  /** Grows with each start of the part within one start of its node. */
  start: z.number().int().min(1),
  state: InstanceState,
  health: Health,
  detail: z.string().max(1_000).optional(),
});
export type InternalPart = z.infer<typeof InternalPart>;

const evidence = z.array(z.string().max(1_000)).max(32).optional();

/** The first event of every log. */
export const ClusterCreated = defineEvent({
  type: "ClusterCreated",
  sentBy: "tracking",
  schema: z.strictObject({ cluster: z.string(), name: z.string() }),
});

export const NodeJoined = defineEvent({
  type: "NodeJoined",
  sentBy: "node",
  schema: z.strictObject({
    node: Name,
    address: z.string(),
    hostname: z.string(),
    role: NodeRole,
    incarnation: z.number().int(),
    labels: z.record(z.string(), z.string()),
    version: z.string(),
  }),
});

/** All that runs on a node, sent after every (re)connect; compared with the graph as of `lastCommand`. */
export const NodeInventory = defineEvent({
  type: "NodeInventory",
  sentBy: "node",
  schema: z.strictObject({
    node: Name,
    /** The last command that the node has begun; null when it has begun none since its start. */
    lastCommand: CommandId.nullable(),
    instances: z.array(InventoryInstance),
    parts: z.array(InternalPart).optional(),
  }),
});

/** A part of Halon on the node has started, ended, or answers otherwise than before. */
export const PartChanged = defineEvent({
  type: "PartChanged",
  sentBy: "node",
  schema: z.strictObject({ node: Name, part: InternalPart }),
});

export const NodeSuspected = defineEvent({
  type: "NodeSuspected",
  sentBy: "tracking",
  schema: z.strictObject({ node: Name, incarnation: z.number().int(), reason: Reason, evidence }),
});

/** A suspicion was wrong: the node is heard again. */
export const NodeTrusted = defineEvent({
  type: "NodeTrusted",
  sentBy: "tracking",
  schema: z.strictObject({ node: Name, incarnation: z.number().int(), reason: Reason, evidence }),
});

export const NodeLost = defineEvent({
  type: "NodeLost",
  sentBy: "tracking",
  schema: z.strictObject({
    node: Name,
    incarnation: z.number().int(),
    reason: Reason,
    evidence,
    /** At least so long ago a lease of this node was last renewed. Absent: not known. */
    leaseAgeMs: z.number().int().min(0).optional(),
  }),
});

/** The node says that it stops and takes its services with it. */
export const NodeLeft = defineEvent({
  type: "NodeLeft",
  sentBy: "node",
  schema: z.strictObject({ node: Name, incarnation: z.number().int() }),
});
