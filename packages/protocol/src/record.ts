import type { Command } from "./command.ts";
import type { EventEnvelope } from "./event-type.ts";
import type { Change } from "./graph-view.ts";
import type { Json } from "./json.ts";
import type { Contribution } from "./pattern.ts";

/** Where an input stands in its source's numbering; client events have an id instead. */
export type Origin =
  | {
      readonly type: "sequence";
      readonly source: string;
      readonly incarnation: number;
      readonly sequence: number;
    }
  | { readonly type: "client"; readonly id: string }
  | { readonly type: "timer"; readonly key: string }
  | { readonly type: "derived"; readonly of: string }
  /** Time alone has completed the pattern of a rule, for one key. */
  | { readonly type: "pattern"; readonly rule: string; readonly key: string }
  /** The first of the events that were kept for this rule file. */
  | { readonly type: "kept"; readonly file: string }
  /** At the end of a record: what the check of an invariant, `<file>/<invariant>`, has come to. */
  | { readonly type: "invariant"; readonly invariant: string }
  /**
   * The first of the dead letters that are decided once more. `rule`: for this rule alone. `attempts`: how often it has become
   * a dead letter by now.
   */
  | { readonly type: "letter"; readonly attempts: number; readonly rule?: string };

/** What an event gave to the pattern of a rule, `<file>/<rule>`. */
export interface RuleContribution extends Contribution {
  readonly rule: string;
}

/** What one rule did with one event. */
export interface Firing {
  /** `<file>/<rule>`. */
  readonly rule: string;
  /** Why: what the rule itself said, or what it matched. */
  readonly why: string;
  readonly changes: readonly Change[];
  /** New values of the rule's own memory; null forgets one. */
  readonly memory: readonly { readonly key: string; readonly value: Json }[];
  readonly timers: readonly TimerChange[];
  readonly commands: readonly Command[];
  /** Ids of outbox commands that are no longer wanted. */
  readonly cancelled: readonly string[];
  /** Events that the rule published; each is decided next, in this order. */
  readonly published: readonly EventEnvelope[];
}

export type TimerChange =
  | {
      readonly type: "arm";
      readonly key: string;
      readonly due: number;
      /** Without `version`: 1. */
      readonly event: { readonly type: string; readonly version?: number; readonly data: Json };
    }
  | { readonly type: "disarm"; readonly key: string };

/** One event consumed, and all that it led to. */
export interface Decision {
  readonly event: EventEnvelope;
  readonly origin: Origin;
  /** The command that this event answers. */
  readonly settles: string | null;
  /** What it gave to patterns over time, in order. Absent: nothing. */
  readonly contributions?: readonly RuleContribution[];
  readonly firings: readonly Firing[];
  /** The rule file in quarantine for which it is kept: it is decided once more when that is back. Absent: none. */
  readonly kept?: string;
  /** Why no rule handled it. */
  readonly dead: string | null;
}

/**
 * One append to the decision log: the truth.
 *
 * Graph, rule memories, timers, outbox and watermarks are folds of these, in order of `index`.
 */
export interface DecisionRecord {
  readonly index: number;
  readonly epoch: number;
  /** Milliseconds of log time: never goes back, stands still while no coordinator runs. */
  readonly logTime: number;
  /** Milliseconds since 1970, for display and calendars only. */
  readonly wallTime: number;
  /** Revision of the graph after this record. */
  readonly revision: number;
  readonly decisions: readonly Decision[];
}
