import type { Firing, Json } from "@halon/protocol";
import type { CoordinatorState } from "./state.ts";

/** So many events in a row on which a file throws put it into quarantine. */
export const throwsMax = 5;
/** Characters of JSON that the memory of a file and its windows may have together. */
export const fileCharsMax = 16 * 1_048_576;
/** Windows are measured anew when so many characters were given to them since. */
const measureEvery = fileCharsMax / 4;

/** What is wrong with a rule file that is in force. */
export interface FileFlaw {
  readonly file: string;
  readonly reason: string;
}

interface Size {
  readonly byKey: Map<string, number>;
  memory: number;
  windows: number;
  /** Given to windows since they were measured. */
  given: number;
  /** Beyond it the file is flawed: what it had when it came into force does not count against it. */
  max: number;
}

/**
 * Counts what the rule files in force throw and hold, while events are decided.
 *
 * It decides nothing: what it finds is observed, and becomes an event like any other. A new leader counts anew.
 */
export class FileHealth {
  readonly #state: CoordinatorState;
  readonly #sizes = new Map<string, Size>();
  readonly #throws = new Map<string, number>();
  readonly #flaws = new Map<string, string>();
  /** Files that ran on the event at hand, and whether they threw. */
  readonly #ran = new Map<string, boolean>();
  #running: string | null = null;

  constructor(state: CoordinatorState) {
    this.#state = state;
  }

  /** Code of the file runs on the event at hand. */
  running(file: string | null): void {
    this.#running = file === null || isBuiltIn(file) ? null : file;
    if (this.#running !== null && !this.#ran.has(this.#running))
      this.#ran.set(this.#running, false);
  }

  /** The code that runs threw. */
  threw(): void {
    if (this.#running !== null) this.#ran.set(this.#running, true);
  }

  /** Called for each firing after it is folded. */
  fired(firing: Firing): void {
    const file = fileOf(firing.rule);
    if (firing.memory.length === 0 || isBuiltIn(file)) return;
    const size = this.#sizeOf(file);
    for (const { key, value } of firing.memory) note(size, key, value);
    this.#judgeSize(file, size);
  }

  /** Called for what an event gave to a pattern of the file. */
  contributed(rule: string, contribution: Json): void {
    const file = fileOf(rule);
    const size = this.#sizeOf(file);
    size.given += charsOf(contribution);
    if (size.given < measureEvery) return;
    size.given = 0;
    size.windows = charsOf(this.#state.matching.saveOf(file) as unknown as Json);
    this.#judgeSize(file, size);
  }

  /** What ran since the last event was no rule, and did not throw: it says nothing of the rules. */
  passed(): void {
    this.#ran.clear();
  }

  /** The event at hand is decided; `event` names it. */
  decided(event: string): void {
    if (this.#ran.size === 0) return;
    for (const [file, hasThrown] of this.#ran) {
      const count = hasThrown ? (this.#throws.get(file) ?? 0) + 1 : 0;
      if (count === 0) this.#throws.delete(file);
      else this.#throws.set(file, count);
      if (count >= throwsMax && !this.#flaws.has(file))
        this.#flaws.set(file, `its rules threw on ${count} events in a row, the last ${event}`);
    }
    this.#ran.clear();
  }

  /** What was found since the last call. */
  take(): readonly FileFlaw[] {
    if (this.#flaws.size === 0) return [];
    const found = [...this.#flaws].map(([file, reason]) => ({ file, reason }));
    this.#flaws.clear();
    return found;
  }

  /** Files came into force or went: each begins anew. */
  renew(): void {
    this.#sizes.clear();
    this.#throws.clear();
    this.#flaws.clear();
    this.#ran.clear();
  }

  #judgeSize(file: string, size: Size): void {
    const chars = size.memory + size.windows;
    if (chars <= size.max || this.#flaws.has(file)) return;
    const has = `${size.memory} characters and its windows ${size.windows}`;
    const reason = `its memory has ${has}, more than ${size.max} together; forget what is not needed any more`;
    this.#flaws.set(file, reason);
  }

  #sizeOf(file: string): Size {
    const known = this.#sizes.get(file);
    if (known !== undefined) return known;
    const size = { byKey: new Map(), memory: 0, windows: 0, given: 0, max: fileCharsMax };
    for (const [key, value] of this.#state.memories.get(file) ?? []) note(size, key, value);
    size.max = Math.max(fileCharsMax, size.memory);
    this.#sizes.set(file, size);
    return size;
  }
}

function note(size: Size, key: string, value: Json): void {
  const chars = value === null ? 0 : key.length + charsOf(value);
  size.memory += chars - (size.byKey.get(key) ?? 0);
  if (chars === 0) size.byKey.delete(key);
  else size.byKey.set(key, chars);
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

function isBuiltIn(file: string): boolean {
  return file === "builtin";
}

function fileOf(rule: string): string {
  return rule.slice(0, rule.indexOf("/"));
}
