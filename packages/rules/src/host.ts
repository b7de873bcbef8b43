import type {
  Change,
  Command,
  Contribution,
  Firing,
  GraphUpdate,
  GraphView,
  Json,
} from "@halon/protocol";
import type { Match } from "./pattern/match.ts";

/** An open transaction of the graph: what a firing did alone can be read, and undone. */
export interface RuleTransaction {
  readonly view: GraphView;
  readonly update: GraphUpdate;
  savepoint(): number;
  rollbackTo(savepoint: number): void;
  changesSince(savepoint: number): readonly Change[];
}

/** What the coordinator's state offers to rules while it decides one event. */
export interface RuleHost {
  readonly transaction: RuleTransaction;
  /** Log time in ms. */
  readonly now: number;
  readonly wallTime: number;
  readonly epoch: number;
  memory(file: string, key: string): Json | undefined;
  /** Keys of the file's memory that begin like this, sorted. */
  memoryKeys(file: string, prefix: string): readonly string[];
  timerPending(key: string): boolean;
  /** Takes what the event at hand gives to the pattern of the rule `<file>/<rule>`; what has matched by it. */
  contribute(rule: string, contribution: Contribution): readonly Match[];
  outstanding(node: string): readonly Command[];
  /** The command that the event at hand answers. */
  answered(): Command | undefined;
  nextCommandId(): string;
  nextEventId(): string;
  /** Whose code runs from now on; null: none. So that a file that never returns can be named from outside. */
  running(file: string | null): void;
  /** Code of the rule `<file>/<rule>` threw this. Where in the author's file, such as `mine.rules.ts:12`; null when that is not known. */
  threw?(rule: string, error: unknown): string | null;
  /** Throws a RangeError when the firing of the file would leave more waiting than the log may hold. */
  admit(file: string, firing: Pick<Firing, "timers" | "commands">): void;
  /** Takes over what a rule did, so that the next rule sees it. */
  fired(firing: Firing): void;
}
