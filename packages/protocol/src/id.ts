import { z } from "zod";

/** Names of nodes, services and types: they become file names and parts of keys. */
export const Name = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "expected a name of a-z, 0-9 and -, at most 63 characters",
  );
export type Name = z.infer<typeof Name>;

/** SHA-256 in lower-case hex: a blob, a schema, a configuration. */
export const Hash = z.string().regex(/^[0-9a-f]{64}$/, "expected a SHA-256 in hex");
export type Hash = z.infer<typeof Hash>;

/** The id that a client gives its event; the same id gives the same answer. */
export const ClientEventId = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,128}$/, "expected 1 to 128 characters of A-Z a-z 0-9 . _ : -");

/** `<service>@<node>`: the exclusive place of a service on a node. */
export type SlotId = string;
/** `<service>@<node>#<incarnation>`: one start of a service. */
export type InstanceId = string;
/** `<record index>.<position>`: grows with the log, so two ids of one node can be compared. */
export type CommandId = string;

export const SlotId = z.string().regex(/^[a-z0-9-]{1,63}@[a-z0-9-]{1,63}$/);
export const InstanceId = z.string().regex(/^[a-z0-9-]{1,63}@[a-z0-9-]{1,63}#[0-9]{1,16}$/);
export const CommandId = z.string().regex(/^[0-9]{1,15}\.[0-9]{1,9}$/);

export function slotId(service: Name, node: Name): SlotId {
  return `${service}@${node}`;
}

export function instanceId(slot: SlotId, incarnation: number): InstanceId {
  return `${slot}#${incarnation}`;
}

export function commandId(recordIndex: number, position: number): CommandId {
  return `${recordIndex}.${position}`;
}

/** Negative when `a` was issued before `b`. */
export function compareCommandIds(a: CommandId, b: CommandId): number {
  const [aIndex = "0", aPosition = "0"] = a.split(".");
  const [bIndex = "0", bPosition = "0"] = b.split(".");
  return Number(aIndex) - Number(bIndex) || Number(aPosition) - Number(bPosition);
}
