import { z } from "zod";
import { CommandId, InstanceId, Name } from "./id.ts";
import type { Json } from "./json.ts";

/** A type of event: its name, its version, the schema of its data, and who sends it. */
export interface EventType<T extends string = string, D = unknown> {
  readonly type: T;
  readonly version: number;
  readonly schema: z.ZodType<D>;
  readonly sentBy: EventSender;
}

/** `node`: a node's agent and supervisor. `tracking`: what the tracking node sees. `client`: a person or program. `rule`: a rule. */
export type EventSender = "node" | "tracking" | "client" | "rule";

export type DataOf<E> = E extends EventType<string, infer D> ? D : never;

/** Declares a type of event. A rule file that declares one makes it known to the cluster. */
export function defineEvent<const T extends string, S extends z.ZodType>(declaration: {
  readonly type: T;
  readonly version?: number;
  readonly schema: S;
  readonly sentBy?: EventSender;
}): EventType<T, z.infer<S>> {
  return {
    type: declaration.type,
    version: declaration.version ?? 1,
    schema: declaration.schema as unknown as z.ZodType<z.infer<S>>,
    sentBy: declaration.sentBy ?? "client",
  };
}

/** What the log holds of an event, and what rules see. */
export interface EventEnvelope<D = Json> {
  readonly id: string;
  readonly type: string;
  readonly version: number;
  /** `node/<name>`, `client/<id>`, `tracking` or `rule/<name>`. */
  readonly source: string;
  readonly data: D;
}

/** Why something was done or happened, for people. */
export const Reason = z.string().max(4_000);
/** The instance that an event is about. */
export const at = { node: Name, service: Name, instance: InstanceId };
/** The command that an event answers. */
export const answer = { command: CommandId.optional() };
