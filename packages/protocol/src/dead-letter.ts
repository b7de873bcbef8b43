import { z } from "zod";
import { JsonValue } from "./json.ts";

/** One line of `event dead`: an event that nothing has handled, or on which a rule threw. */
export const DeadLetterEntry = z.object({
  /** Of the event. */
  id: z.string(),
  type: z.string(),
  version: z.number(),
  source: z.string(),
  data: JsonValue,
  /** Of the record in which it became a dead letter; `time` is RFC 3339. */
  index: z.number(),
  time: z.string(),
  reason: z.string(),
  /** The rule that threw on it, `<file>/<rule>`; what other rules made of the event stays. Absent: no rule handled it. */
  rule: z.string().optional(),
  /** How often it has become one. */
  attempts: z.number(),
  /** Why it cannot be decided once more. Absent: it can. */
  final: z.string().optional(),
});
export type DeadLetterEntry = z.infer<typeof DeadLetterEntry>;

/** `GET /v1/dead-letters`. */
export const DeadLetterList = z.object({
  /** Oldest first, at most 1,000. */
  letters: z.array(DeadLetterEntry),
  /** How many were forgotten for want of room since the cluster began. */
  dropped: z.number(),
  /** How many are about to be decided once more. */
  waiting: z.number(),
});
export type DeadLetterList = z.infer<typeof DeadLetterList>;
