import type { Contribution, Json } from "@halon/protocol";
import { indexRules, type StepConcern } from "../compiled.ts";
import { plain } from "../plain.ts";
import type { Rules } from "../rule.ts";
import { FileState, type FileStatus } from "./file-state.ts";
import { type FiredRule, fire, type Occasion, type Published, whereContext } from "./firing.ts";

export type { FileStatus } from "./file-state.ts";
export type { Published } from "./firing.ts";

/** So many events in a row on which a file throws put it into quarantine. */
export const throwsMax = 5;

/** A rule file that is in force on this node. `version` changes whenever it has to begin anew. */
export interface ProcessorRules {
  readonly name: string;
  readonly version: string;
  readonly rules: Rules;
}

/** An event of this node that no log has. It is frozen here. */
export interface TakenEvent {
  readonly type: string;
  readonly data: Json;
}

/** A file that was taken out of force here. */
export interface FileFlaw {
  readonly file: string;
  readonly version: string;
  readonly reason: string;
}

/** What the processor is given by its driver. */
export interface ProcessorHost {
  /** Whose code runs from now on; null: none. So that a file that never returns can be named from outside. */
  running(file: string | null): void;
  /** Where in the author's file the code of a rule, `<file>/<rule>`, threw this; null when that is not known. */
  locate(rule: string, error: unknown): string | null;
}

/** What one file has to do with a type of event. */
interface Turn {
  readonly state: FileState;
  readonly concerns: readonly StepConcern[];
}

const noTurns: readonly Turn[] = [];
const never = Number.POSITIVE_INFINITY;

/**
 * Runs the rule files of one node over its events (rfc/0010, Processors).
 *
 * Each file has windows and memory of its own, so what one of them does cannot harm another. `now` is the processor's
 * clock in ms, and never goes back. It reads no clock; it has one owner, and is changed in place.
 */
export class Processor {
  readonly #host: ProcessorHost;
  #files = new Map<string, FileState>();
  #byType = new Map<string, readonly Turn[]>();
  #published: Published[] = [];
  #flaws: FileFlaw[] = [];
  /** Nothing is due before. */
  #dueAfter = never;
  /** The event at hand, and the turn that comes next. */
  #event: TakenEvent = { type: "", data: null };
  #turns: readonly Turn[] = noTurns;
  #next = 0;
  #running: FileState | null = null;
  /** The event at hand for all rules on single events, of the file whose turn it is. */
  #single: Occasion | undefined;

  constructor(host: ProcessorHost) {
    this.#host = host;
  }

  /**
   * Makes these the files in force. One of the same version goes on; of another one those windows do whose rule has
   * the same name and pattern, and its memory stays. Answers how many windows ended.
   */
  bring(files: readonly ProcessorRules[]): number {
    const before = this.#files;
    let ended = 0;
    this.#files = new Map();
    for (const file of files) {
      const known = before.get(file.name);
      before.delete(file.name);
      if (known?.version === file.version) this.#files.set(file.name, known);
      else {
        const state = known ?? new FileState(file.name);
        ended += state.begin(file.version, file.rules);
        this.#files.set(file.name, state);
      }
    }
    for (const state of before.values()) ended += state.windows;
    this.#byType = turnsOf(this.#files.values());
    this.#dueAfter = -never;
    return ended;
  }

  /** Gives an event to all that hear it. What is due by then is to be taken before. */
  take(event: TakenEvent, now: number): void {
    this.#event = deepFreeze(event);
    this.#turns = this.#byType.get(event.type) ?? noTurns;
    this.#next = 0;
    this.goOn(now);
  }

  /** Gives the event at hand to those that have not had it; `take` does. After an interruption: without the file that ran. */
  goOn(now: number): void {
    const turns = this.#turns;
    for (let turn = turns[this.#next]; turn !== undefined; turn = turns[this.#next]) {
      this.#next += 1;
      const { state, concerns } = turn;
      if (state.isOut) continue;
      this.#begin(state);
      state.taken += 1;
      for (const concern of concerns) this.#offer(state, concern, now);
      this.#settle(state);
      this.#dueAfter = Math.min(this.#dueAfter, state.matching.firstDue);
    }
  }

  /** When time alone makes the next match; infinite when nothing waits. */
  get firstDue(): number {
    let first = never;
    for (const { matching } of this.#files.values()) first = Math.min(first, matching.firstDue);
    return first;
  }

  /** Runs what is due at `now` or before, at most so many matches; whether more is due. */
  due(now: number, most: number): boolean {
    if (now < this.#dueAfter) return false;
    for (let count = 0; count < most; count += 1) {
      const state = this.#firstOf();
      const at = state?.matching.firstDue ?? never;
      if (state === undefined || at > now) {
        this.#dueAfter = at;
        return false;
      }
      this.#begin(state);
      const due = state.matching.due(now);
      const fired = due === null ? undefined : state.timed.get(due.rule);
      if (due !== null && fired !== undefined)
        this.#fire(state, fired, { match: due.match, event: {}, now });
      this.#settle(state);
    }
    return this.firstDue <= now;
  }

  /** What was published since the last call, in order. */
  takePublished(): readonly Published[] {
    const published = this.#published;
    this.#published = [];
    return published;
  }

  /** Files that were taken out of force since the last call. */
  takeFlaws(): readonly FileFlaw[] {
    const flaws = this.#flaws;
    this.#flaws = [];
    return flaws;
  }

  /** Something ended the step in the middle: the file whose turn it was, which may be half done; null when it was none's. */
  interrupted(): string | null {
    const name = this.#running?.name ?? null;
    this.#running = null;
    return name;
  }

  /** Takes the file out of force until another version of it comes; its windows are gone. */
  drop(file: string, reason: string): void {
    const state = this.#files.get(file);
    if (state === undefined || state.isOut) return;
    state.leave();
    this.#flaws.push({ file, version: state.version, reason });
  }

  /** Lets the file begin anew, without windows and memory; answers how many windows are lost. */
  forget(file: string): number {
    return this.#files.get(file)?.forget() ?? 0;
  }

  get windows(): number {
    let count = 0;
    for (const state of this.#files.values()) count += state.windows;
    return count;
  }

  status(): readonly FileStatus[] {
    return [...this.#files.values()].map((state) => state.status());
  }

  #firstOf(): FileState | undefined {
    let first: FileState | undefined;
    for (const state of this.#files.values())
      if (first === undefined || state.matching.firstDue < first.matching.firstDue) first = state;
    return first;
  }

  #begin(state: FileState): void {
    this.#running = state;
    this.#single = undefined;
    state.hasThrown = false;
    this.#host.running(state.name);
  }

  #settle(state: FileState): void {
    this.#host.running(null);
    this.#running = null;
    state.throws = state.hasThrown ? state.throws + 1 : 0;
    if (state.throws >= throwsMax)
      this.drop(
        state.name,
        `its rules threw on ${state.throws} events in a row: ${state.lastFailure}`,
      );
    else if (state.flaw !== undefined) this.drop(state.name, state.flaw);
  }

  #offer(state: FileState, concern: StepConcern, now: number): void {
    const { data } = this.#event;
    const { compiled } = concern;
    if (concern.parts.length === 0) {
      const where = this.#single?.where ?? whereContext(state, data, now, undefined);
      this.#single ??= { match: null, event: data, now, where };
      this.#fire(state, concern.compiled, this.#single);
      return;
    }
    for (const { part, contribute } of concern.parts) {
      let contribution: Contribution | null;
      try {
        const given = contribute(data as never);
        contribution = given === null ? null : asContribution(given, part);
      } catch (error) {
        this.#threw(state, compiled.id, error);
        return;
      }
      if (contribution === null) continue;
      state.given(contribution);
      for (const match of state.matching.take(compiled.id, contribution, now))
        this.#fire(state, compiled, { match, event: data, now });
    }
  }

  #fire(state: FileState, fired: FiredRule, occasion: Occasion): void {
    try {
      const published = fire(state, fired, occasion);
      if (published === null) return;
      state.fired += 1;
      for (const each of published) this.#published.push(each);
    } catch (error) {
      this.#threw(state, fired.id, error);
    }
  }

  #threw(state: FileState, rule: string, error: unknown): void {
    state.threw(rule, error, this.#host.locate(rule, error));
  }
}

function turnsOf(files: Iterable<FileState>): Map<string, readonly Turn[]> {
  const byType = new Map<string, Turn[]>();
  for (const state of files) {
    const { byEvent } = indexRules([{ name: state.name, rules: state.rules }]);
    for (const [type, concerns] of byEvent) {
      const steps = concerns.filter((each) => each.type === "step");
      const turns = byType.get(type) ?? [];
      byType.set(type, [...turns, { state, concerns: steps }]);
    }
  }
  return byType;
}

function asContribution(given: Omit<Contribution, "part">, part: number): Contribution {
  const { key, values, kept } = given;
  if (values === undefined && kept === undefined) return { key, part };
  return {
    key,
    part,
    ...(values === undefined ? {} : { values }),
    ...(kept === undefined ? {} : { kept: plain(kept) }),
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
  return value;
}
