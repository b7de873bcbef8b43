import { z } from "zod";
import { CommandId, InstanceId, Name } from "./id.ts";
import type { Json } from "./json.ts";

/** A type of event: its name, its version, the schema of its data, and who sends it. */
export interface EventType<T extends string = string, D = unknown> {
  readonly type: T;
  readonly version: number;
  readonly schema: z.ZodType<D>;
  readonly sentBy: EventSender;
  /** By earlier version: what its data are in the next one. Code of a rule file. */
  readonly from?: Readonly<Record<number, (old: never) => unknown>>;
}

/** `node`: a node's agent and supervisor. `tracking`: what the tracking node sees. `client`: a person or program. `rule`: a rule. */
export type EventSender = "node" | "tracking" | "client" | "rule";

export type DataOf<E> = E extends EventType<string, infer D> ? D : never;

/**
 * Declares a type of event. A rule file that declares one makes it known to the cluster.
 *
 * `version` counts from 1. `from`: by earlier version, what its data are in the next; an event of that version is read by these,
 * step by step, and its end is checked by the schema. Throws a TypeError where a step between two versions is missing.
 */
export function defineEvent<const T extends string, S extends z.ZodType>(declaration: {
  readonly type: T;
  readonly version?: number;
  readonly schema: S;
  readonly sentBy?: EventSender;
  readonly from?: Readonly<Record<number, (old: never) => unknown>>;
}): EventType<T, z.infer<S>> {
  const { type, version = 1, from } = declaration;
  checkVersions(type, version, from);
  return {
    type,
    version,
    ...(from === undefined ? {} : { from }),
    schema: declaration.schema as unknown as z.ZodType<z.infer<S>>,
    sentBy: declaration.sentBy ?? "client",
  };
}

function checkVersions(type: string, version: number, from: EventType["from"] = {}): void {
  if (!Number.isSafeInteger(version) || version < 1)
    throw new TypeError(`event ${type}: version is ${version}; it is a whole number from 1 on`);
  const earlier = Object.keys(from).map(Number);
  const strange = earlier.find(
    (each) => !Number.isSafeInteger(each) || each < 1 || each >= version,
  );
  if (strange !== undefined)
    throw new TypeError(
      `event ${type}: from: ${strange} is no version before ${version}; remove it, or raise the version`,
    );
  for (let next = Math.min(version, ...earlier); next < version; next += 1) {
    if (!Object.hasOwn(from, next))
      throw new TypeError(
        `event ${type}: from: the step from ${next} to ${next + 1} is missing; add ${next}: (old) => ({ … })`,
      );
  }
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
