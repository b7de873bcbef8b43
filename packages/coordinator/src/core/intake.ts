import {
  builtInEvents,
  canonicalJson,
  type ErrorData,
  type EventEnvelope,
  type Json,
  type Origin,
} from "@halon/protocol";
import type { z } from "zod";
import { refusedRequest } from "./dead-letters.ts";
import type { CoordinatorState } from "./state.ts";

/** How deep the data of an event may be nested. */
const jsonDepthMax = 100;

/** An event as it comes in. */
export interface EventInput {
  readonly type: string;
  readonly version: number;
  readonly data: Json;
  /** The rule on a node that published it, `<file>/<rule>`. */
  readonly by?: string;
}

/** What `step` decides on, besides the timers that are due. */
export type Input =
  | {
      readonly type: "numbered";
      readonly source: string;
      readonly incarnation: number;
      readonly sequence: number;
      readonly event: EventInput;
    }
  | { readonly type: "client"; readonly id: string; readonly event: EventInput };

/** What the sender is told, after the record is durable. */
export type Reply =
  | { readonly type: "accepted"; readonly index: number }
  | { readonly type: "duplicate"; readonly index: number | null }
  | { readonly type: "gap"; readonly expected: number }
  | { readonly type: "refused"; readonly error: ErrorData };

/** A type of event as rule files declare it. */
export interface DeclaredEvent {
  /** The newest. */
  readonly version: number;
  readonly schema: z.ZodType;
  /** Earlier versions that can be read; null: what their data are is seen when they are lifted. */
  readonly older?: ReadonlyMap<number, z.ZodType | null>;
}

/** Types of event that rule files declare. */
export type DeclaredEvents = ReadonlyMap<string, DeclaredEvent>;

export type Intake =
  | { readonly type: "reply"; readonly reply: Reply }
  | {
      readonly type: "take";
      readonly event: EventEnvelope;
      readonly origin: Origin;
      readonly dead: string | null;
    };

/** Decides whether an input is taken: in order, once, of a known type, and of its schema. */
export function intake(state: CoordinatorState, declared: DeclaredEvents, input: Input): Intake {
  return input.type === "numbered"
    ? intakeNumbered(state, declared, input)
    : intakeClient(state, declared, input);
}

function intakeNumbered(
  state: CoordinatorState,
  declared: DeclaredEvents,
  input: Input & { readonly type: "numbered" },
): Intake {
  const { source, incarnation, sequence } = input;
  const isReadable = isJson(input.event.data);
  const event = isReadable ? input.event : { ...input.event, data: null };
  const watermark = state.watermarks.get(source);
  if (watermark !== undefined && incarnation < watermark.incarnation) {
    const message = `${source} has incarnation ${watermark.incarnation}; an event of ${incarnation} comes too late`;
    return refuse({ code: "HAL_CONFLICT", message });
  }
  const last = watermark?.incarnation === incarnation ? watermark.sequence : 0;
  if (sequence <= last) return { type: "reply", reply: { type: "duplicate", index: null } };
  if (sequence > last + 1) return { type: "reply", reply: { type: "gap", expected: last + 1 } };
  return {
    type: "take",
    event: {
      id: `${source}:${incarnation}:${sequence}`,
      source: event.by === undefined ? source : `${source}/${event.by}`,
      ...ordered(event),
    },
    origin: { type: "sequence", source, incarnation, sequence },
    // A numbered event is taken whatever it holds: refusing it would stop its source for ever.
    dead: isReadable
      ? flawOfNumbered(event, declared)
      : `${event.type} holds what JSON cannot hold`,
  };
}

function flawOfNumbered(event: EventInput, declared?: DeclaredEvents): string | null {
  const known = builtIn(event.type);
  if (known === undefined && event.by !== undefined && declared !== undefined)
    return flawOfPublished(event, declared);
  if (known === undefined) return `no part of Halon declares the event type ${event.type}`;
  if (known.sentBy !== "node" && known.sentBy !== "tracking")
    return `nodes do not send ${event.type}`;
  const checked = check(known, event);
  return "flaw" in checked ? checked.flaw : null;
}

/** What is wrong with an event that a processor has published. */
function flawOfPublished(event: EventInput, declared: DeclaredEvents): string | null {
  const known = declared.get(event.type);
  if (known === undefined) return `no rule file in force declares the event type ${event.type}`;
  const checked = check(known, event);
  return "flaw" in checked ? checked.flaw : null;
}

function intakeClient(
  state: CoordinatorState,
  declared: DeclaredEvents,
  input: Input & { readonly type: "client" },
): Intake {
  const { id, event } = input;
  const taken = state.clientIds.get(id);
  if (taken !== undefined) return { type: "reply", reply: { type: "duplicate", index: taken } };
  const known = builtIn(event.type);
  if (known !== undefined && known.sentBy !== "client") {
    const message = `${event.type} is sent by Halon itself (${known.sentBy}) and cannot be emitted`;
    return refuse({ code: "HAL_FORBIDDEN", message });
  }
  const type = known ?? declared.get(event.type);
  if (type === undefined) {
    const message = `no rule file declares the event type ${JSON.stringify(event.type)}; declare it with defineEvent and apply the file`;
    return refuse({ code: "HAL_EVENT_UNKNOWN", message });
  }
  const checked = isJson(event.data)
    ? check(type, event)
    : { flaw: `${event.type} holds what JSON cannot hold` };
  if ("flaw" in checked) return refuse({ code: "HAL_SCHEMA_VIOLATION", message: checked.flaw });
  const refusal = known === undefined ? null : refusedRequest(state, event);
  if (refusal !== null) return refuse(refusal);
  // With the defaults of its schema: the built-in rules rely on them.
  const whole = known === undefined ? event : { ...event, data: checked.data as Json };
  return {
    type: "take",
    event: { id, source: `client/${id}`, ...ordered(whole) },
    origin: { type: "client", id },
    dead: null,
  };
}

/** What is wrong with an event that has waited: rule files may have come, changed or gone since it was taken. */
export function flawOfWaiting(declared: DeclaredEvents, event: EventEnvelope): string | null {
  const { type, source } = event;
  const isOfNode = !/^(client|rule|timer|pattern|processor)\//.test(source);
  if (isOfNode && !declared.has(type)) return flawOfNumbered(event);
  const known = builtIn(type) ?? declared.get(type);
  // Rules read earlier versions each in its way.
  if (known === undefined || (builtIn(type) === undefined && known.version !== event.version))
    return null;
  const checked = check(known, event);
  return "flaw" in checked ? checked.flaw : null;
}

/** Whether the log can hold it: what comes over a link may be NaN, a bigint or bytes. */
function isJson(value: unknown, depth = 0): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || depth > jsonDepthMax) return false;
  if (Array.isArray(value)) return value.every((each) => isJson(each, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return false;
  return Object.values(value).every((each) => each === undefined || isJson(each, depth + 1));
}

/** With sorted members: a rule that goes through them must see the same order as after the log held it. */
function ordered({ type, version, data }: EventInput): EventInput {
  return { type, version, data: JSON.parse(canonicalJson(data)) as Json };
}

function refuse(error: ErrorData): Intake {
  return { type: "reply", reply: { type: "refused", error } };
}

function builtIn(type: string) {
  return Object.hasOwn(builtInEvents, type)
    ? builtInEvents[type as keyof typeof builtInEvents]
    : undefined;
}

/** What is wrong with the event, or its data as the schema of its type gives it. */
function check(
  known: DeclaredEvent,
  event: EventInput,
): { readonly flaw: string } | { readonly data: unknown } {
  const { type, version, data } = event;
  const schema = version === known.version ? known.schema : known.older?.get(version);
  if (schema === undefined)
    return { flaw: `${type} ${versionsText(known)}, the event has version ${version}` };
  if (schema === null) return { data };
  const parsed = schema.safeParse(data);
  if (parsed.success) return { data: parsed.data };
  return { flaw: `${event.type}: ${flawsOf(parsed.error).slice(0, 2_000)}` };
}

function versionsText({ version, older }: DeclaredEvent): string {
  const versions = [...(older?.keys() ?? []), version].sort((a, b) => a - b);
  return versions.length === 1
    ? `has version ${version} here`
    : `has the versions ${versions.join(", ")} here`;
}

/** In one line, as some places show only the first. */
function flawsOf({ issues }: z.ZodError): string {
  return issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
    .join("; ");
}
