import type { Command, DecisionRecord, ErrorData } from "@halon/protocol";
import type { Reply } from "./intake.ts";

/** `timers`: the first timer of the state; `resend`: the next look for commands without an answer. */
export type LoopDeadline = "timers" | "resend";

/** How an append ended, where that is known; as of the store. */
export type AppendResult =
  | { readonly type: "committed" }
  | { readonly type: "fenced"; readonly epoch: number }
  | { readonly type: "conflict"; readonly next: number };

/**
 * Work that the decision loop asks its driver to do.
 *
 * The driver carries effects out in order and in the turn in which it got them. Of those that take time (`append`, `readRecord`,
 * `recover`, `bringRules`) one at most is under way, and its end comes back as an input: `failed` when it threw.
 */
export type LoopEffect =
  /**
   * Calls `decide`: after one turn of the event loop, so that what else has arrived by then joins the record, or at once,
   * when the effects before this one are carried out.
   */
  | { readonly type: "decide"; readonly when: "nextTurn" | "now" }
  /** Appends `text` at `index` under the loop's epoch; then `appended`. The commands are those that it decided. */
  | {
      readonly type: "append";
      readonly index: number;
      /** Canonical JSON of the record. */
      readonly text: string;
      readonly commands: readonly Command[];
    }
  /** The outcome of the append is unknown: reads the record of this index, if there is one; then `recordRead`. */
  | { readonly type: "readRecord"; readonly index: number }
  /** The append came to nothing: rebuilds the state from what the store has; then `recovered`. */
  | { readonly type: "recover" }
  /** The state names other rule files than are in force: loads them; then `rulesBrought`. */
  | { readonly type: "bringRules" }
  /** The commands leave for their nodes. */
  | { readonly type: "send"; readonly commands: readonly Command[] }
  /** The record is durable: everybody who follows is told of it, and the state may be saved as it is now. */
  | { readonly type: "committed"; readonly record: DecisionRecord; readonly text: string }
  /** Answers the input that was given with this number. */
  | { readonly type: "reply"; readonly ref: number; readonly reply: Reply }
  /** All that the state holds now is durable: whoever asked for this with `whenDurable` reads it. */
  | { readonly type: "durable"; readonly ref: number }
  /** Gives `due` after so long; replaces what is armed under this key. */
  | { readonly type: "arm"; readonly key: LoopDeadline; readonly inMs: number }
  | { readonly type: "disarm"; readonly key: LoopDeadline }
  | { readonly type: "warning"; readonly text: string }
  /** The loop has ended for good, with HAL_NO_LEADER when the store is another's now. */
  | { readonly type: "lost"; readonly error: ErrorData }
  /** Nothing is under way any more, after `close`. The last effect. */
  | { readonly type: "closed" };
