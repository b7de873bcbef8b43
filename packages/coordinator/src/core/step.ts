import {
  type Command,
  type ConfiguredRules,
  commandAnswers,
  commandId,
  type Decision,
  type DecisionRecord,
  type EventEnvelope,
  events,
  type Firing,
  type Json,
  type JsonObject,
  type Origin,
  type RuleContribution,
} from "@halon/protocol";
import {
  checkInvariant,
  type DueMatch,
  type Outcome,
  type RuleHost,
  type RuleIndex,
  type RuleTransaction,
  runDue,
  runRules,
} from "@halon/rules";
import { admit } from "./admit.ts";
import { lettersInRecordMax } from "./dead-letters.ts";
import type { FileHealth } from "./file-health.ts";
import { foldEnd, foldFiring, foldIntake, foldRuleFiles, foldStamp } from "./fold.ts";
import { deepFreeze } from "./frozen.ts";
import { type DeclaredEvents, flawOfWaiting, type Input, intake, type Reply } from "./intake.ts";
import { dueInvariants, toldOf } from "./invariants.ts";
import { dueKept, keptMax } from "./kept-events.ts";
import { keeperOf, onlyRule } from "./rule-files.ts";
import { withConfigured } from "./rule-options.ts";
import type { CoordinatorState } from "./state.ts";

/** How deep events that rules publish may lead to further ones. */
export const derivedDepthMax = 64;
/** How many decisions one input may lead to. */
export const derivedCountMax = 10_000;

/** Kept events of one record. */
const keptInRecordMax = 512;

const expired: string = events.CommandExpired.type;

/** What the driver knows of the moment: the next index, its epoch, log time and wall time in ms. */
export interface Stamp {
  readonly epoch: number;
  readonly logTime: number;
  readonly wallTime: number;
}

/** The rules in force, and the types of event that their files declare. */
export interface RuleSet {
  readonly index: RuleIndex;
  readonly declared: DeclaredEvents;
  /** Told whose code runs; decides nothing. */
  readonly running?: (file: string | null) => void;
  /** By the name of its code: the rule files that are loaded, and kept versions of them. */
  readonly versions?: ReadonlyMap<string, { readonly file: string; readonly blob: string }>;
  /** What the code of a file that is loaded makes of options; null when it is not. Throws what that throws. */
  readonly configure?: (file: string, options: JsonObject) => ConfiguredRules | null;
  /** Where in its author's file the code of a rule, `<file>/<rule>`, threw this; null when that is not known. */
  readonly locate?: (rule: string, error: unknown) => string | null;
}

/** What else a step may be given. */
export interface StepOptions {
  /** Decided before all that is due, without replies. */
  readonly first?: readonly Input[];
  /** Told what rule files do. */
  readonly health?: FileHealth;
  /** Whether there is a record for its log time's sake, though nothing is decided. */
  readonly marksTime?: boolean;
}

export interface StepResult {
  /** To be appended; undefined when nothing was taken, and no time is to be marked. */
  readonly record: DecisionRecord | undefined;
  /** One for each input, in order; to be sent when the record is durable. */
  readonly replies: readonly Reply[];
  /** To be sent when the record is durable; all are in the outbox too. */
  readonly commands: readonly Command[];
}

/**
 * Decides a batch: first the timers that are due, in order of time, then patterns that time alone completes, then events
 * that were kept for rule files which are back, then the inputs in the order given, then dead letters that were asked for.
 *
 * Changes the state in place; folding the record into the state as it was gives the same. Deterministic: equal
 * states, rules, inputs and stamps give byte-equal records.
 */
export function step(
  state: CoordinatorState,
  rules: RuleSet,
  inputs: readonly Input[],
  stamp: Stamp,
  { first = [], health, marksTime = false }: StepOptions = {},
): StepResult {
  const batch = new Batch(state, rules, stamp, health);
  for (const input of first) batch.take(input);
  batch.takeTimers();
  batch.takePatterns();
  batch.takeKept();
  const replies = inputs.map((input) => batch.take(input));
  // Whoever has asked for it finds them decided.
  batch.takeLetters();
  batch.checkInvariants();
  return { ...batch.close(marksTime), replies };
}

class Batch {
  readonly #state: CoordinatorState;
  readonly #rules: RuleSet;
  readonly #stamp: Stamp & { readonly index: number };
  readonly #transaction: ReturnType<CoordinatorState["graph"]["begin"]>;
  readonly #decisions: Decision[] = [];
  readonly #host: RuleHost;
  readonly #health: FileHealth | undefined;
  /** The command that the event at hand answers. */
  #answer: Command | undefined;
  /** What the event at hand has given to patterns. */
  #contributions: RuleContribution[] = [];
  #commandCount = 0;
  #eventCount = 0;

  constructor(
    state: CoordinatorState,
    rules: RuleSet,
    stamp: Stamp,
    health: FileHealth | undefined,
  ) {
    this.#state = state;
    this.#rules = rules;
    this.#health = health;
    const logTime = Math.max(stamp.logTime, state.logTime);
    this.#stamp = { ...stamp, logTime, index: state.index + 1 };
    this.#transaction = state.graph.begin();
    this.#host = this.#createHost();
  }

  takeTimers(): void {
    // Timers that this batch arms for a time already past wait for the next one: a rule cannot spin in here.
    const due = [];
    for (let timer = this.#firstDue(); timer !== undefined; timer = this.#firstDue()) {
      this.#state.timers.disarm(timer.key);
      due.push(timer);
    }
    for (const timer of due) this.#state.timers.arm(timer);
    for (const timer of due) {
      const { key, event } = timer;
      // A rule may have cancelled it, or armed it anew for a later time, because of one before it.
      if (this.#state.timers.get(key) !== timer) continue;
      const envelope = {
        id: this.#host.nextEventId(),
        source: `timer/${key}`,
        version: 1,
        ...event,
      };
      this.#decide(envelope, { type: "timer", key });
    }
  }

  takePatterns(): void {
    // What rules contribute meanwhile is due later than now, so this ends.
    const { logTime } = this.#stamp;
    const { matching } = this.#state;
    for (let due = matching.due(logTime); due !== null; due = matching.due(logTime)) {
      const { rule, match } = due;
      const { key, since, until } = match;
      const envelope = {
        id: this.#host.nextEventId(),
        type: events.PatternDue.type,
        version: events.PatternDue.version,
        source: `pattern/${rule}`,
        data: { rule, key, since, until },
      };
      this.#decide(envelope, { type: "pattern", rule, key }, due);
    }
  }

  takeKept(): void {
    const { kept } = this.#state;
    let left = keptInRecordMax;
    for (const file of dueKept(this.#state, this.#rules.index)) {
      for (const event of kept.of(file).slice(0, left)) {
        this.#decide(event, { type: "kept", file });
        left -= 1;
      }
    }
  }

  /** After all that was kept: it is older. */
  takeLetters(): void {
    if (dueKept(this.#state, this.#rules.index).length > 0) return;
    for (const { event, attempts, rule } of this.#state.retries.slice(0, lettersInRecordMax))
      this.#decide(event, { type: "letter", attempts, ...(rule === undefined ? {} : { rule }) });
  }

  take(input: Input): Reply {
    const rules = this.#rules;
    const taken = withConfigured(this.#state, rules, intake(this.#state, rules.declared, input));
    if (taken.type === "reply") return taken.reply;
    if (taken.dead === null) this.#decide(taken.event, taken.origin);
    else
      this.#record({
        event: taken.event,
        origin: taken.origin,
        settles: null,
        firings: [],
        dead: taken.dead,
      });
    return { type: "accepted", index: this.#stamp.index };
  }

  /** After all else: it sees what the record leaves, and nothing in between. */
  checkInvariants(): void {
    for (const invariant of dueInvariants(this.#rules.index, this.#state.graph, this.#decisions)) {
      const check = checkInvariant(invariant, this.#host);
      const told = toldOf(this.#state.graph, invariant.id, check);
      if (told === null) this.#health?.passed();
      else {
        const envelope = {
          ...{ id: this.#host.nextEventId(), type: told.type, version: 1 },
          ...{ source: `rule/${invariant.id}`, data: told.data },
        };
        this.#decide(envelope, { type: "invariant", invariant: invariant.id });
      }
    }
  }

  close(marksTime: boolean): Pick<StepResult, "record" | "commands"> {
    const delta = this.#transaction.commit();
    if (this.#decisions.length === 0 && !marksTime) return { record: undefined, commands: [] };
    foldRuleFiles(this.#state, this.#stamp, delta.changes);
    foldStamp(this.#state, this.#stamp);
    const { index, epoch, logTime, wallTime } = this.#stamp;
    const commands = this.#decisions
      .flatMap((decision) => decision.firings.flatMap((firing) => firing.commands))
      .filter((command) => this.#state.outbox.get(command.id) !== undefined);
    return {
      record: {
        index,
        epoch,
        logTime,
        wallTime,
        revision: delta.revision,
        decisions: this.#decisions,
      },
      commands,
    };
  }

  #firstDue() {
    const timer = this.#state.timers.first();
    return timer !== undefined && timer.due <= this.#stamp.logTime ? timer : undefined;
  }

  /** Decides the event and, breadth first, all that rules publish because of it. */
  #decide(first: EventEnvelope, origin: Origin, due?: DueMatch): void {
    const queue: { event: EventEnvelope; origin: Origin; depth: number }[] = [
      { event: first, origin, depth: 0 },
    ];
    for (let next = 0; next < queue.length; next += 1) {
      const item = queue[next];
      if (item === undefined) return;
      if (item.depth > derivedDepthMax || next >= derivedCountMax) {
        const dead = `events that rules published because of ${first.id} led to more than ${derivedDepthMax} levels or ${derivedCountMax} events`;
        this.#record({ event: item.event, origin: item.origin, settles: null, firings: [], dead });
        continue;
      }
      for (const event of this.#decideOne(item.event, item.origin, next === 0 ? due : undefined)) {
        queue.push({
          event,
          origin: { type: "derived", of: item.event.id },
          depth: item.depth + 1,
        });
      }
    }
  }

  #decideOne(event: EventEnvelope, origin: Origin, due?: DueMatch): readonly EventEnvelope[] {
    const command = this.#answered(event, origin);
    const settles = command?.id ?? null;
    this.#answer = command;
    foldIntake(this.#state, this.#stamp.index, origin, settles);
    const outcome = this.#run(deepFreeze(event), origin, due);
    const { firings } = outcome;
    const contributions = this.#contributions;
    const given = contributions.length === 0 ? {} : { contributions };
    const ended = outcome.dead === null ? { dead: null } : this.#unhandled(event, outcome.dead);
    const decision = { event, origin, settles, ...given, firings, ...ended };
    this.#health?.decided(event.id);
    foldEnd(this.#state, this.#stamp, decision);
    this.#decisions.push(decision);
    return firings.flatMap((firing) => firing.published);
  }

  #run(event: EventEnvelope, origin: Origin, due: DueMatch | undefined): Outcome {
    this.#contributions = [];
    const { index, declared } = this.#rules;
    if (due !== undefined) return runDue(index, due, event, this.#host);
    if (origin.type !== "kept" && origin.type !== "letter")
      return runRules(index, event, this.#host);
    const dead = flawOfWaiting(declared, event);
    if (dead !== null) return { firings: [], dead };
    const rule = origin.type === "letter" ? origin.rule : undefined;
    if (rule === undefined) return runRules(index, event, this.#host);
    if (!index.byId.has(rule)) return { firings: [], dead: `the rule ${rule} is not in force` };
    // It has nothing to do with the event, or has done it now: either way it did not throw.
    return { ...runRules(onlyRule(index, rule), event, this.#host), dead: null };
  }

  /** Kept for the rule file in quarantine whose event it is, or a dead letter. */
  #unhandled(event: EventEnvelope, dead: string): Pick<Decision, "dead" | "kept"> {
    if (this.#rules.index.byEvent.has(event.type)) return { dead };
    const kept = keeperOf(this.#state.graph, event);
    if (kept === null) return { dead };
    if (this.#state.kept.size < keptMax) return { kept, dead: null };
    return {
      dead: `rule file ${kept} is in quarantine, and ${keptMax} events are kept already`,
    };
  }

  /** Takes a decision in which no rule had a part. */
  #record(decision: Decision): void {
    foldIntake(this.#state, this.#stamp.index, decision.origin, decision.settles);
    foldEnd(this.#state, this.#stamp, decision);
    this.#decisions.push(decision);
  }

  /** The command that a node's event or its own deadline answers; what people and rules emit answers none. */
  #answered({ type, data }: EventEnvelope, origin: Origin): Command | undefined {
    if (origin.type !== "sequence" && origin.type !== "timer") return undefined;
    if (typeof data !== "object" || data === null || Array.isArray(data)) return undefined;
    const id = (data as Readonly<Record<string, unknown>>)["command"];
    const command = typeof id === "string" ? this.#state.outbox.get(id) : undefined;
    if (command === undefined) return undefined;
    const answers = origin.type === "timer" ? [expired] : commandAnswers[command.action.type];
    return answers.includes(type) ? command : undefined;
  }

  #createHost(): RuleHost {
    const state = this.#state;
    const { logTime, wallTime, epoch, index } = this.#stamp;
    const opened = this.#transaction;
    const transaction: RuleTransaction = {
      view: state.graph,
      update: opened.update,
      savepoint: () => opened.savepoint(),
      rollbackTo: (savepoint) => opened.rollbackTo(savepoint),
      changesSince: (savepoint) => opened.changesSince(savepoint),
    };
    return {
      transaction,
      now: logTime,
      wallTime,
      epoch,
      memory: (file, key) => state.memories.get(file)?.get(key),
      memoryKeys: (file, prefix) =>
        [...(state.memories.get(file)?.keys() ?? [])]
          .filter((key) => key.startsWith(prefix))
          .sort(),
      timerPending: (key) => state.timers.has(key),
      contribute: (rule, contribution) => {
        this.#contributions.push({ rule, ...contribution });
        this.#health?.contributed(rule, contribution as unknown as Json);
        return state.matching.take(rule, contribution, logTime);
      },
      outstanding: (node) => state.outbox.of(node),
      answered: () => this.#answer,
      nextCommandId: () => {
        this.#commandCount += 1;
        return commandId(index, this.#commandCount);
      },
      nextEventId: () => {
        this.#eventCount += 1;
        return `${index}-${this.#eventCount}`;
      },
      running: (file) => {
        this.#rules.running?.(file);
        this.#health?.running(file);
      },
      threw: (rule, error) => {
        this.#health?.threw();
        return this.#rules.locate?.(rule, error) ?? null;
      },
      admit: (file, firing) => admit(state, file, firing),
      fired: (firing: Firing) => {
        this.#health?.fired(firing);
        foldFiring(state, firing);
      },
    };
  }
}
