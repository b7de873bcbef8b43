import { z } from "zod";
import { defineEvent, Reason } from "./event-type.ts";
import { CommandId, Hash, InstanceId, Name } from "./id.ts";
import { Health, InstanceState, NodeRole, ProcessorFile } from "./kind.ts";

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
  part: z.enum([
    "halon-supervisor",
    "halon-agency",
    "halon-coordinator",
    "halon-recovery",
    "halon-processor",
  ]),
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

/** What the processor of the node has loaded now: all of it. */
export const ProcessorChanged = defineEvent({
  type: "ProcessorChanged",
  sentBy: "node",
  schema: z.strictObject({ node: Name, files: z.array(ProcessorFile) }),
});

/** The processor of the node has begun anew: so many windows, and events that it had not finished, are lost. */
export const ProcessorRestarted = defineEvent({
  type: "ProcessorRestarted",
  sentBy: "node",
  schema: z.strictObject({
    node: Name,
    lost: z.number().int().min(0),
    /** Events that were taken and are not counted anywhere. */
    events: z.number().int().min(0).optional(),
    /** Only the windows of this file. */
    file: Name.optional(),
    reason: Reason,
  }),
});

/** A rule file is in quarantine on this node alone. */
export const ProcessorFileFailed = defineEvent({
  type: "ProcessorFileFailed",
  sentBy: "node",
  schema: z.strictObject({ node: Name, file: Name, blob: Hash, reason: Reason }),
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
