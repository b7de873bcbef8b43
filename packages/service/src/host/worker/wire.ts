import { JsonValue, ResourceKindName } from "@halon/protocol";
import { z } from "zod";

const Attributes = z.record(z.string(), JsonValue);
const ResourceId = z.string().min(1).max(256);
const Reason = z.string().max(4_000);

/** What a service side tells its host, as `{ event }`. The code in it may send anything, so each is parsed. */
export const ServiceEvent = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("loaded") }),
  /** `hasAlive`: it answers for its liveness itself. */
  z.strictObject({ type: z.literal("ready"), hasAlive: z.boolean() }),
  z.strictObject({
    type: z.literal("acquired"),
    kind: ResourceKindName,
    id: ResourceId,
    attributes: Attributes,
  }),
  z.strictObject({ type: z.literal("released"), kind: ResourceKindName, id: ResourceId }),
  z.strictObject({ type: z.literal("reconfigured"), config: Attributes }),
  z.strictObject({
    type: z.literal("problem"),
    code: z.enum(["HAL_SERVICE_LOAD", "HAL_SERVICE_START", "HAL_FAILED"]),
    reason: Reason,
    cause: z.enum(["announced", "exception", "exit", "memory"]).optional(),
    failureCode: z.string().max(128).optional(),
  }),
  z.strictObject({ type: z.literal("exiting"), reason: Reason }),
  z.strictObject({
    type: z.literal("trouble"),
    ref: z.string().max(128),
    code: z.string().max(128),
    reason: Reason,
    data: JsonValue.optional(),
  }),
  /** A question of the service about others; `reply` answers it by its number. */
  z.strictObject({
    type: z.literal("asked"),
    ref: z.number().int(),
    question: z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("lookup"), service: z.string().max(256) }),
      z.strictObject({
        type: z.literal("call"),
        instance: z.string().max(512),
        message: z.string().max(256),
        args: z.array(JsonValue).max(100),
      }),
      z.strictObject({ type: z.literal("publish"), event: z.string().max(256), data: JsonValue }),
    ]),
  }),
  /** Output of a service that has no output of its own. */
  z.strictObject({ type: z.literal("output"), text: z.string() }),
  /** Its event loop turns; of a service side that shares no memory with its host. */
  z.strictObject({ type: z.literal("beat"), memoryKib: z.number().int().min(0) }),
  /** The service has ended, and its thread goes on; of a shared thread only. */
  z.strictObject({ type: z.literal("ended"), code: z.number().int() }),
]);
export type ServiceEvent = z.infer<typeof ServiceEvent>;

export type Question = Extract<ServiceEvent, { type: "asked" }>["question"];

/** What a shared thread tells of itself. `outlived`: code of the service in this slot runs after its end. */
export const SharedThreadEvent = z.strictObject({
  type: z.enum(["dropped", "outlived"]),
  slot: z.number().int(),
});
export type SharedThreadEvent = z.infer<typeof SharedThreadEvent>;
