import { type DecisionRecord, defineEvent, type ErrorData } from "@halon/protocol";
import { defineRules, on } from "@halon/rules";
import { z } from "zod";
import {
  type CoordinatorState,
  DecisionCore,
  emptyState,
  fold,
  type Input,
  type LoopEffect,
  type Reply,
} from "../src/core/index.ts";
import { ruleSet } from "./test-cluster.ts";

const Go = defineEvent({ type: "Go", schema: z.strictObject({ after: z.number() }) });
const check = { type: "CheckService", service: "web", instance: "web@a#1" } as const;

/** An event makes one command, and another event after so many ms of log time, or none when that is 0. */
const file = defineRules(
  {
    go: on(Go).do(({ event, command, timer }) => {
      command.send("a", check, { deadlineMs: 3_600_000 });
      if (event.after > 0) timer.after("again", event.after, Go, { after: 0 });
    }),
  },
  { events: [Go] },
);

/** What takes time. */
export type UnderWay = Extract<
  LoopEffect,
  { type: "append" | "readRecord" | "recover" | "bringRules" }
>;

/** How an append ends: stored or not, and whether the loop is told. */
export type Outcome = "committed" | "replyLost" | "notStored" | "another" | "fenced";

export const storeFailed: ErrorData = { code: "HAL_STORE_FAILED", message: "no reply" };

/** A decision loop whose store, turns and clock do what the test says. */
export class LoopWorld {
  readonly rules = ruleSet({ file });
  readonly core: DecisionCore;
  /** The records of the store. */
  readonly log: string[] = [];
  /** Effects that take no time, in order. */
  readonly told: LoopEffect[] = [];
  underWay: UnderWay | undefined;
  isTurnDue = false;
  now = 0;
  readonly #see: (effect: LoopEffect, world: LoopWorld) => void;
  #refs = 0;

  /** `see` gets each effect at the moment at which a driver carries it out. */
  constructor(see: (effect: LoopEffect, world: LoopWorld) => void = () => undefined) {
    this.#see = see;
    this.core = new DecisionCore({ epoch: 1, state: emptyState(), rules: this.rules, now: 0 });
    this.take(this.core.begin([], 0));
  }

  take(effects: readonly LoopEffect[]): void {
    for (const effect of effects) {
      this.#see(effect, this);
      switch (effect.type) {
        case "decide":
          if (effect.when === "nextTurn") this.isTurnDue = true;
          else this.take(this.core.decide(this.now, this.now));
          break;
        case "append":
        case "readRecord":
        case "recover":
        case "bringRules":
          this.underWay = effect;
          break;
        default:
          this.told.push(effect);
      }
    }
  }

  /** Gives an event; its number is also the client id, with the number of the reply. */
  go(after = 0): number {
    this.#refs += 1;
    this.take(this.core.submit(going(`id-${this.#refs}`, after), this.#refs));
    return this.#refs;
  }

  /** Asks to read the durable state; the number of the answer. */
  read(): number {
    this.#refs += 1;
    this.take(this.core.whenDurable(this.#refs));
    return this.#refs;
  }

  /** The event loop turns once. */
  turn(): void {
    if (!this.isTurnDue) return;
    this.isTurnDue = false;
    this.take(this.core.decide(this.now, this.now));
  }

  /** What takes time ends; an append as `outcome` says. */
  finish(outcome: Outcome = "committed"): void {
    const { underWay, core } = this;
    this.underWay = undefined;
    if (underWay?.type === "append") this.#append(underWay.text, outcome);
    if (underWay?.type === "readRecord")
      this.take(core.recordRead(this.log[underWay.index - 1] ?? null));
    if (underWay?.type === "recover") this.take(core.recovered(this.folded()));
    if (underWay?.type === "bringRules") this.take(core.rulesBrought(this.rules, []));
  }

  /** The state that the store's records give. */
  folded(): CoordinatorState {
    const state = emptyState();
    for (const text of this.log) fold(state, JSON.parse(text) as DecisionRecord);
    return state;
  }

  reply(ref: number): Reply | undefined {
    const found = this.told.find((effect) => effect.type === "reply" && effect.ref === ref);
    return found?.type === "reply" ? found.reply : undefined;
  }

  isRead(ref: number): boolean {
    return this.told.some((effect) => effect.type === "durable" && effect.ref === ref);
  }

  types(): readonly string[] {
    return this.told.map(({ type }) => type);
  }

  #append(text: string, outcome: Outcome): void {
    if (outcome === "another") this.log.push(`{"epoch":2,"index":${this.log.length + 1}}`);
    if (outcome === "committed" || outcome === "replyLost") this.log.push(text);
    if (outcome === "committed") this.take(this.core.appended({ type: "committed" }));
    else if (outcome === "fenced") this.take(this.core.appended({ type: "fenced", epoch: 2 }));
    else this.take(this.core.failed(storeFailed));
  }
}

export function going(id: string, after = 0): Input {
  return { type: "client", id, event: { type: "Go", version: 1, data: { after } } };
}
