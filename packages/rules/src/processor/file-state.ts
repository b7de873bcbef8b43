import type { Contribution, EventType, Json, PatternDescription } from "@halon/protocol";
import { Matching } from "../matching.ts";
import { reasonOf } from "../plain.ts";
import type { Rules } from "../rule.ts";
import type { FiredRule } from "./firing.ts";

/** Characters of JSON that the memory of a file and its windows may have together. */
export const fileCharsMax = 16 * 1_048_576;
/** Windows are measured anew when so many characters were given to them since. */
const measureEvery = fileCharsMax / 4;
const textCharsMax = 1_000;

/** How a file does on this node. */
export interface FileStatus {
  readonly file: string;
  readonly version: string;
  readonly state: "loaded" | "quarantined";
  /** Events that its rules have had, firings, and rules that threw, since the processor began. */
  readonly taken: number;
  readonly fired: number;
  readonly failed: number;
  readonly lastFailure?: string;
  /** What a rule said last, with its name. */
  readonly lastWhy?: string;
  /** Windows that are open, that were dropped for want of room, and keys that were refused. */
  readonly windows: number;
  readonly dropped: number;
  readonly refused: number;
}

const noRules: Rules = { kind: "rules", rules: {}, events: [], resources: {} };

/** One rule file on one node: its windows, its memory, and how it does. */
export class FileState {
  readonly name: string;
  matching = new Matching();
  memory = new Map<string, Json>();
  /** The memory as conditions see it. */
  readonly reader = Object.freeze({ get: (key: string): Json | undefined => this.memory.get(key) });
  version = "";
  rules: Rules = noRules;
  /** Types that it may publish. */
  publishes: ReadonlyMap<string, EventType> = new Map();
  /** Its rules on patterns, by id. */
  timed: ReadonlyMap<string, FiredRule> = new Map();
  /** In quarantine. */
  isOut = false;
  /** What is wrong with its size. */
  flaw: string | undefined;
  taken = 0;
  fired = 0;
  failed = 0;
  /** Events in a row on which it threw. */
  throws = 0;
  hasThrown = false;
  lastFailure = "";
  #lastWhy = "";
  #memoryChars = 0;
  #windowChars = 0;
  #given = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Brings a version into force; answers how many windows ended. */
  begin(version: string, rules: Rules): number {
    const hears = new Set(rules.hears ?? []);
    const published = rules.events.filter(({ type }) => !hears.has(type));
    this.version = version;
    this.rules = rules;
    this.publishes = new Map(published.map((event) => [event.type, event]));
    this.timed = new Map(
      Object.entries(rules.rules).flatMap(([name, rule]) => {
        const id = `${this.name}/${name}`;
        return rule.kind === "step" ? [[id, { id, rule }] as const] : [];
      }),
    );
    this.isOut = false;
    this.flaw = undefined;
    this.throws = 0;
    return this.matching.bring(this.#patterns());
  }

  get windows(): number {
    return this.matching.counts().reduce((sum, { open }) => sum + open, 0);
  }

  /** Goes into quarantine: its windows and its memory are gone. */
  leave(): void {
    this.forget();
    this.isOut = true;
  }

  /** Answers how many windows are lost. */
  forget(): number {
    const lost = this.windows;
    this.matching = new Matching();
    this.matching.bring(this.#patterns());
    this.memory = new Map();
    this.flaw = undefined;
    this.#memoryChars = 0;
    this.#windowChars = 0;
    this.#given = 0;
    return lost;
  }

  threw(rule: string, error: unknown, where: string | null): void {
    this.hasThrown = true;
    this.failed += 1;
    this.lastFailure = `${rule}: ${reasonOf(error, where)}`.slice(0, textCharsMax);
  }

  said(rule: string, why: string): void {
    this.#lastWhy = `${rule}: ${why}`.slice(0, textCharsMax);
  }

  remember(key: string, value: Json): void {
    const before = this.memory.get(key);
    const was = before === undefined ? 0 : key.length + charsOf(before);
    this.#memoryChars += (value === null ? 0 : key.length + charsOf(value)) - was;
    if (value === null) this.memory.delete(key);
    else this.memory.set(key, value);
    this.#judge();
  }

  /** An event gives this to a pattern. */
  given(contribution: Contribution): void {
    this.#given += contribution.key.length + 32 + charsOf(contribution.kept ?? null);
    if (this.#given < measureEvery) return;
    this.#given = 0;
    this.#windowChars = charsOf(this.matching.saveOf(this.name) as unknown as Json);
    this.#judge();
  }

  status(): FileStatus {
    const { name: file, version, isOut, taken, fired, failed, lastFailure } = this;
    const counts = this.matching.counts();
    const sum = (of: (count: (typeof counts)[number]) => number): number =>
      counts.reduce((total, count) => total + of(count), 0);
    return {
      file,
      version,
      state: isOut ? "quarantined" : "loaded",
      taken,
      fired,
      failed,
      ...(lastFailure === "" ? {} : { lastFailure }),
      ...(this.#lastWhy === "" ? {} : { lastWhy: this.#lastWhy }),
      windows: sum(({ open }) => open),
      dropped: sum(({ dropped }) => dropped),
      refused: sum(({ refused }) => refused),
    };
  }

  #patterns(): ReadonlyMap<string, PatternDescription> {
    return new Map(
      [...this.timed].flatMap(
        ([
          id,
          {
            rule: { pattern },
          },
        ]) => (pattern === undefined ? [] : [[id, pattern.description] as const]),
      ),
    );
  }

  #judge(): void {
    if (this.#memoryChars + this.#windowChars <= fileCharsMax) return;
    const has = `${this.#memoryChars} characters and its windows ${this.#windowChars}`;
    this.flaw = `its memory has ${has}, more than ${fileCharsMax} together; forget what is not needed any more`;
  }
}

/** About as many characters as its JSON has. */
function charsOf(value: Json): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null) return 8;
  let chars = 2;
  if (Array.isArray(value)) for (const each of value) chars += charsOf(each) + 1;
  else
    for (const [name, each] of Object.entries(value))
      if (each !== undefined) chars += name.length + 4 + charsOf(each);
  return chars;
}
