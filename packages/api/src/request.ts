import { ClientEventId, ClusterSpec, Duration, Hash, InstanceId, Name } from "@halon/protocol";
import { z } from "zod";

const Reason = z.string().max(4_000);
const Config = z.record(z.string(), z.json());

/** Body of `POST /v1/services/S/<action>`. */
export const ServiceRequest = z.strictObject({
  on: Name.optional(),
  config: Config.optional(),
  reason: Reason.optional(),
});
export type ServiceRequest = z.input<typeof ServiceRequest>;

/** Body of `POST /v1/services/S/move`. Without `to` placement chooses. */
export const MoveRequest = z.strictObject({
  from: Name,
  to: Name.optional(),
  reason: Reason.optional(),
});
export type MoveRequest = z.input<typeof MoveRequest>;

/** Body of `POST /v1/services/S/send`. */
export const SendRequest = z.strictObject({
  on: Name.optional(),
  /** This instance and no other. */
  instance: InstanceId.optional(),
  message: z.string().min(1).max(128),
  args: z.array(z.json()).max(32).default([]),
  /** How long the service may take; beside it the query's `timeout`. */
  timeoutMs: z.number().int().min(1).max(3_600_000).optional(),
});
export type SendRequest = z.input<typeof SendRequest>;

/** Body of `POST /v1/nodes/N/<action>`, of `POST /v1/breaker/reset`, and of `POST /v1/rules/F/<action>`. */
export const ReasonRequest = z.strictObject({ reason: Reason.optional() });
export type ReasonRequest = z.input<typeof ReasonRequest>;

/** Body of `POST /v1/rules/F/options`: what is not named stays, null takes the default. */
export const OptionsRequest = z.strictObject({
  options: z.record(z.string(), z.json()),
  reason: Reason.optional(),
});
export type OptionsRequest = z.input<typeof OptionsRequest>;

/** Body of `POST /v1/nodes/N/maintenance`. */
export const MaintenanceRequest = z.strictObject({ on: z.boolean(), reason: Reason.optional() });

/** Body of `PUT /v1/services/S/config`: the whole configuration. */
export const ConfigRequest = z.strictObject({ config: Config, reason: Reason.optional() });
export type ConfigRequest = z.input<typeof ConfigRequest>;

/** Body of `POST /v1/events`; without an id the node gives one. */
export const EventRequest = z.strictObject({
  id: ClientEventId.optional(),
  type: z.string().regex(/^[A-Za-z][A-Za-z0-9._-]{0,127}$/, "expected the name of an event type"),
  /** Of the type of event; absent: the newest that is declared. */
  version: z.number().int().min(1).optional(),
  data: z.json().default({}),
});
export type EventRequest = z.input<typeof EventRequest>;

/** Body of `POST /v1/apply`. The blobs have been sent before. */
export const ApplyRequest = z.strictObject({ spec: ClusterSpec, reason: Reason.optional() });
export type ApplyRequest = z.input<typeof ApplyRequest>;

/** Body of `POST /v1/plan`. `code`: of the rule files whose blobs the cluster lacks, by hash; it is not kept. */
export const PlanRequest = z.strictObject({
  spec: ClusterSpec,
  code: z.record(Hash, z.string()).default({}),
});

/** Body of `POST /v1/dead-letters/<action>`: one of `events`, their ids, of `type`, and of `all`. */
export const DeadLetterRequest = z.strictObject({
  events: z.array(z.string().min(1).max(512)).min(1).max(1_000).optional(),
  type: z.string().max(128).optional(),
  all: z.literal(true).optional(),
  reason: Reason.optional(),
});
export type DeadLetterRequest = z.infer<typeof DeadLetterRequest>;

/** Body of `POST /v1/blobs/missing`. */
export const MissingRequest = z.strictObject({ hashes: z.array(Hash).max(10_000) });

const Flag = z.enum(["true", "false"]).transform((text) => text === "true");
const Count = z
  .string()
  .regex(/^\d{1,7}$/, "expected a number of at most 7 digits")
  .transform(Number);
const Cursor = z
  .string()
  .regex(/^\d{1,15}(\.\d{1,9})?$/, "expected an index such as 4211, or 4211.2")
  .transform((text) => {
    const [index = "", position] = text.split(".");
    // An index alone means the whole record.
    return {
      index: Number(index),
      position: position === undefined ? Number.MAX_SAFE_INTEGER : Number(position),
    };
  });

/** A wait is at most an hour: longer ones ask again. */
const Wait = Duration.pipe(z.number().max(3_600_000, "expected at most 1h"));

/** Reads a `Last-Event-ID`. */
export const EventCursorText = Cursor;

export const ReadQuery = z.strictObject({ consistent: Flag.optional() });
export const WaitQuery = z.strictObject({
  wait: Flag.default(false),
  timeout: Wait.default(30_000),
});
export const StartQuery = WaitQuery.extend({ dryRun: Flag.default(false) });
export const PlanQuery = z.strictObject({
  actions: Flag.default(true),
  timeout: Wait.default(30_000),
});
export const SubmitQuery = z.strictObject({ timeout: Wait.default(10_000) });
export const EventsQuery = z.strictObject({
  after: Cursor.optional(),
  /** A time, or how long ago. */
  since: z.string().optional(),
  type: z.string().max(128).optional(),
  dead: Flag.default(false),
  limit: Count.pipe(z.number().min(1).max(1_000)).default(100),
});
export const StreamQuery = z.strictObject({ after: Cursor.optional() });
export const GraphQuery = z.strictObject({
  query: z.string().max(4_096).optional(),
  /** `<kind>/<id>`: one resource with its relations. */
  resource: z
    .string()
    .max(512)
    .regex(/^[A-Z][A-Za-z0-9]*\/./, "expected Kind/ID")
    .optional(),
  format: z.enum(["json", "dot", "graphml"]).default("json"),
  at: z.string().optional(),
  consistent: Flag.optional(),
});
export const LogsQuery = z.strictObject({
  on: Name.optional(),
  lines: Count.pipe(z.number().max(100_000, "expected at most 100000")).default(200),
  follow: Flag.default(false),
});
export const ShutdownRequest = z.strictObject({ keepServices: z.boolean().default(false) });
