import type { ErrorCode, ErrorData } from "@halon/protocol";
import type { LoopEffect } from "./decision-effects.ts";
import type { Reply } from "./intake.ts";

/** What a sender is told whose event was not decided. */
export const notTaken =
  "The coordinator of this node has ended; the event took no effect. Try again.";

/** What a sender is told whose event was decided, perhaps for nothing. */
export const notKnown =
  "The coordinator lost the lead while the event was being written: whether it took effect is not known; ask again under the same id.";

export function noLeader(message: string): ErrorData {
  return { code: "HAL_NO_LEADER", message };
}

export function refusal(code: ErrorCode, message: string): Reply {
  return { type: "refused", error: { code, message } };
}

/** The answer to the input of this number; nothing when nobody wants it. */
export function replyTo(ref: number | null, reply: Reply | undefined): readonly LoopEffect[] {
  return ref === null || reply === undefined ? [] : [{ type: "reply", ref, reply }];
}
