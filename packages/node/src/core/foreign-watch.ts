/** An instance is asked so often, from the beginning of one question to that of the next. */
export const askEveryMs = 1_000;
/** It has at least so long to answer. */
export const answerWithinMs = 2_000;
/** Beside what its own check may take: the way there and back. */
const wayMs = 1_000;
/** Questions in a row without a good answer after which it is doubted. */
export const failuresMax = 3;
/** The watch takes its turn so often. */
export const turnMs = 250;
/** A turn that is later than this says more about the watch than about those that were asked meanwhile. */
const lateMsMax = askEveryMs / 2;
/** Questions under way at a time. */
export const questionsMax = 16;
/** A doubt that lasts is told again, so that its own node is asked again. */
export const retellMs = 30_000;
/** After so long the graph has what was told, or it was lost. */
const toldMs = 5_000;

/** An instance of another node, as the graph has it. */
export interface ForeignInstance {
  readonly instance: string;
  readonly service: string;
  readonly node: string;
  /** How long its own check may take. */
  readonly checkTimeoutMs: number;
  /** Whether the graph says that this node doubts it. */
  readonly isDoubted: boolean;
}

/** What became of a question. */
export type ForeignAnswer = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Work for the driver. The answer to `ask` comes back with its number, or is given up after `withinMs`. */
export type ForeignEffect =
  | {
      readonly type: "ask";
      readonly question: number;
      readonly of: ForeignInstance;
      readonly withinMs: number;
    }
  | { readonly type: "doubt"; readonly of: ForeignInstance; readonly reason: string }
  | { readonly type: "trust"; readonly of: ForeignInstance };

interface Watched {
  of: ForeignInstance;
  dueAt: number;
  asked: Question | undefined;
  failures: number;
  /** What was told last; the graph counts before the first time. */
  told: { readonly isDoubt: boolean; readonly at: number } | undefined;
  readonly since: number;
}

interface Question {
  readonly number: number;
  readonly at: number;
  readonly withinMs: number;
  /** The watch itself was late meanwhile, so that no answer says nothing. */
  isVoid: boolean;
}

/**
 * Watches instances of other nodes by asking for their checks; times are monotonic, in ms.
 *
 * Which those are comes with every turn, from the graph: a watch that begins anew goes on where the one before ended.
 */
export class ForeignWatch {
  readonly #watched = new Map<string, Watched>();
  #questions = 0;
  #lastTurnAt: number | undefined;

  /** How many instances are watched. */
  get size(): number {
    return this.#watched.size;
  }

  /** Asks those that are due, and gives up questions that are too old. To be called every `turnMs`. */
  turn(now: number, instances: readonly ForeignInstance[]): ForeignEffect[] {
    this.#noteLateness(now);
    this.#lastTurnAt = now;
    this.#keep(now, instances);
    const all = [...this.#watched.values()];
    const effects = all.flatMap((watched) => this.#giveUp(watched, now));
    let open = all.filter(({ asked }) => asked !== undefined).length;
    // Who has waited longest comes first, so that a bound that is reached leaves out nobody for good.
    const due = all
      .filter(({ asked, dueAt }) => asked === undefined && dueAt <= now)
      .sort((a, b) => a.dueAt - b.dueAt);
    for (const watched of due) {
      if (open >= questionsMax) break;
      open += 1;
      effects.push(this.#ask(watched, now));
    }
    return effects;
  }

  /** Takes the answer to a question; one that was given up, or of an instance not watched any more, is of no interest. */
  answered(
    instance: string,
    question: number,
    now: number,
    answer: ForeignAnswer,
  ): ForeignEffect[] {
    const watched = this.#watched.get(instance);
    if (watched === undefined || watched.asked?.number !== question) return [];
    this.#noteLateness(now);
    return this.#take(watched, watched.asked, now, answer);
  }

  #noteLateness(now: number): void {
    const lateMs = now - (this.#lastTurnAt ?? now) - turnMs;
    if (lateMs <= lateMsMax) return;
    for (const { asked } of this.#watched.values()) if (asked !== undefined) asked.isVoid = true;
  }

  #keep(now: number, instances: readonly ForeignInstance[]): void {
    const wanted = new Set(instances.map(({ instance }) => instance));
    for (const instance of this.#watched.keys())
      if (!wanted.has(instance)) this.#watched.delete(instance);
    for (const of of instances) {
      const watched = this.#watched.get(of.instance);
      if (watched !== undefined) watched.of = of;
      else
        this.#watched.set(of.instance, {
          ...{ of, dueAt: now, since: now },
          ...{ asked: undefined, failures: 0, told: undefined },
        });
    }
  }

  #ask(watched: Watched, now: number): ForeignEffect {
    this.#questions += 1;
    const question = this.#questions;
    const withinMs = Math.max(answerWithinMs, watched.of.checkTimeoutMs + wayMs);
    watched.asked = { number: question, at: now, withinMs, isVoid: false };
    watched.dueAt = now + askEveryMs;
    return { type: "ask", question, of: watched.of, withinMs };
  }

  #giveUp(watched: Watched, now: number): ForeignEffect[] {
    const { asked } = watched;
    if (asked === undefined || now - asked.at < asked.withinMs) return [];
    const reason = `no answer within ${asked.withinMs / 1_000} s`;
    return this.#take(watched, asked, now, { ok: false, reason });
  }

  #take(watched: Watched, asked: Question, now: number, answer: ForeignAnswer): ForeignEffect[] {
    watched.asked = undefined;
    if (answer.ok) {
      watched.failures = 0;
      return trust(watched, now);
    }
    if (asked.isVoid) return [];
    watched.failures += 1;
    return watched.failures < failuresMax ? [] : doubt(watched, now, answer.reason);
  }
}

function trust(watched: Watched, now: number): ForeignEffect[] {
  const { of, told } = watched;
  const isTold = told === undefined ? !of.isDoubted : !told.isDoubt;
  if (isTold && (told === undefined || !of.isDoubted || now - told.at < toldMs)) return [];
  watched.told = { isDoubt: false, at: now };
  return [{ type: "trust", of }];
}

function doubt(watched: Watched, now: number, reason: string): ForeignEffect[] {
  const { of, told, failures, since } = watched;
  const isTold = told?.isDoubt ?? of.isDoubted;
  const ageMs = now - (told?.at ?? since);
  if (isTold && ageMs < (of.isDoubted ? retellMs : toldMs)) return [];
  watched.told = { isDoubt: true, at: now };
  return [{ type: "doubt", of, reason: `${reason} (${failures} times)` }];
}
