import { z } from "zod";
import { defineEvent, Reason } from "./event-type.ts";

/** An invariant of a rule file, `file/invariant`, does not hold any more; until `InvariantHolds`. */
export const InvariantBroken = defineEvent({
  type: "InvariantBroken",
  sentBy: "rule",
  schema: z.strictObject({ invariant: z.string(), reason: Reason }),
});

/** An invariant that was broken holds again. */
export const InvariantHolds = defineEvent({
  type: "InvariantHolds",
  sentBy: "rule",
  schema: z.strictObject({ invariant: z.string() }),
});

/** All invariants are to be checked at the end of this record, whatever it changes. */
export const InvariantsDue = defineEvent({
  type: "InvariantsDue",
  sentBy: "rule",
  schema: z.strictObject({}),
});
