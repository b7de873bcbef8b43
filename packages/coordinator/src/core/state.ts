import { createGraph, type Graph } from "@halon/graph";
import type { GraphView, Json, PatternDescription } from "@halon/protocol";
import { Matching } from "@halon/rules";
import type { DeadLetter } from "./dead-letters.ts";
import { KeptEvents } from "./kept-events.ts";
import { Outbox } from "./outbox.ts";
import { Timers } from "./timers.ts";

/** Client event ids that are remembered, so that the same id gives the same answer. */
export const clientIdsMax = 65_536;

export interface Watermark {
  readonly incarnation: number;
  readonly sequence: number;
}

/**
 * All projections of the decision log at `index`.
 *
 * It has one owner, who hands it to `step` and `fold`; they change it in place.
 */
export interface CoordinatorState {
  index: number;
  /** Of the last record. */
  epoch: number;
  /** Of the last record, in ms. */
  logTime: number;
  readonly graph: Graph;
  /** By rule file, then key. */
  readonly memories: Map<string, Map<string, Json>>;
  readonly timers: Timers;
  /** Windows of the patterns of rule files. */
  readonly matching: Matching;
  readonly outbox: Outbox;
  /** By source. */
  readonly watermarks: Map<string, Watermark>;
  /** Client event id to the record that took it, oldest first. */
  readonly clientIds: Map<string, number>;
  /** Oldest first. */
  readonly deadLetters: DeadLetter[];
  /** Dead letters that were forgotten for want of room. */
  lettersDropped: number;
  /** Dead letters that are decided once more, in this order. */
  readonly retries: DeadLetter[];
  /** For rule files in quarantine. */
  readonly kept: KeptEvents;
}

export function emptyState(graph: Graph = createGraph()): CoordinatorState {
  return {
    index: 0,
    epoch: 0,
    logTime: 0,
    graph,
    memories: new Map(),
    timers: new Timers(),
    matching: new Matching(),
    outbox: new Outbox(),
    watermarks: new Map(),
    clientIds: new Map(),
    deadLetters: [],
    lettersDropped: 0,
    retries: [],
    kept: new KeptEvents(),
  };
}

/** When time alone makes the next decision, in log time; infinite when nothing waits. */
export function firstDue({
  timers,
  matching,
}: Pick<CoordinatorState, "timers" | "matching">): number {
  return Math.min(timers.first()?.due ?? Number.POSITIVE_INFINITY, matching.firstDue);
}

/** How many timers and patterns are due by then: none, 1, or 2 for several. A step decides all of them at once. */
export function dueCount(
  { timers, matching }: Pick<CoordinatorState, "timers" | "matching">,
  logTime: number,
): 0 | 1 | 2 {
  if (matching.firstDue <= logTime) return 2;
  const first = timers.first();
  if (first === undefined || first.due > logTime) return 0;
  timers.disarm(first.key);
  const second = timers.first();
  timers.arm(first);
  return second !== undefined && second.due <= logTime ? 2 : 1;
}

/** Log time between two marks, at least, in ms. */
const markMsMin = 500;
/** Of the time to what is due next a mark comes after this part. */
const markPart = 20;

/**
 * When a record without decisions is to say how late it is, in log time; infinite when nothing waits.
 *
 * A successor knows no later log time than that of the last record. So what it makes late is the outage, and beside it at most
 * a twentieth of the time that was left, or half a second.
 */
export function markDue(state: Pick<CoordinatorState, "timers" | "matching" | "logTime">): number {
  const left = firstDue(state) - state.logTime;
  return state.logTime + Math.max(markMsMin, Math.ceil(left / markPart));
}

/** Of all rules whose file is in the graph and does not run on nodes: the pattern over time, by `<file>/<rule>`. */
export function patternsIn(graph: GraphView): ReadonlyMap<string, PatternDescription> {
  return new Map(
    graph
      .list("RuleFile")
      .flatMap(({ id, attributes: { runs, patterns = {} } }) =>
        Object.entries(runs === "node" ? {} : patterns).map(
          ([rule, pattern]) => [`${id}/${rule}`, pattern] as const,
        ),
      ),
  );
}
