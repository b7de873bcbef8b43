import type { Command, DecisionRecord } from "@halon/protocol";
import type { Input, Reply } from "./intake.ts";
import type { CoordinatorState } from "./state.ts";
import type { RuleSet } from "./step.ts";

/** What a decision loop begins with. */
export interface LoopStart {
  /** Under which the store is owned. */
  readonly epoch: number;
  /** As of the last record; it belongs to the loop from now on. */
  readonly state: CoordinatorState;
  /** Those that the state names. */
  readonly rules: RuleSet;
  /** Monotonic ms. */
  readonly now: number;
}

export interface Waiting {
  readonly input: Input;
  /** The driver's number; null when nobody wants the reply. */
  readonly ref: number | null;
  /** What it is told when the store is lost before it is decided. */
  readonly whenLost: string;
}

/** A record that is being appended. */
export interface Appending {
  readonly record: DecisionRecord;
  readonly text: string;
  readonly replies: readonly Reply[];
  readonly commands: readonly Command[];
  /** How many failures of rule files it begins with. */
  readonly failures: number;
}

/** What the loop waits for. While it is `step`, `append`, `read` or `recover`, the state holds what may not be durable. */
export type Work =
  | { readonly type: "idle" | "turn" | "telling" | "rules" | "step" | "recover" }
  | { readonly type: "append" | "read"; readonly appending: Appending };

/** What waits for the moment between two appends: who asked with this number, or commands to a node. */
export type Reading =
  | { readonly type: "ref"; readonly ref: number }
  | { readonly type: "resend"; readonly node: string };
