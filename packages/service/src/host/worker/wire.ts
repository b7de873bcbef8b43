import { ResourceKindName } from "@halon/protocol";
import { z } from "zod";

const Attributes = z.record(z.string(), z.json());
const ResourceId = z.string().min(1).max(256);

/** What a thread tells its host. The code in the thread may send anything, so each is parsed. */
export const ThreadEvent = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("loaded") }),
  z.strictObject({ type: z.literal("ready") }),
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
    reason: z.string(),
  }),
]);
