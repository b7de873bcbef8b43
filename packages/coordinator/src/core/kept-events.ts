import { compareText, type EventEnvelope } from "@halon/protocol";
import type { RuleIndex } from "@halon/rules";
import { loadedFiles } from "./rule-files.ts";
import type { CoordinatorState } from "./state.ts";

/** Events that are kept for rule files in quarantine, all files together. */
export const keptMax = 10_000;

/** Events that wait for the rule files that alone would have handled them, in the order of the log. */
export class KeptEvents {
  readonly #byFile = new Map<string, EventEnvelope[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Names of the files for which events are kept, sorted. */
  files(): readonly string[] {
    return [...this.#byFile.keys()].sort(compareText);
  }

  of(file: string): readonly EventEnvelope[] {
    return this.#byFile.get(file) ?? [];
  }

  add(file: string, event: EventEnvelope): void {
    const events = this.#byFile.get(file) ?? [];
    events.push(event);
    this.#byFile.set(file, events);
    this.#size += 1;
  }

  /** Forgets the first that is kept for the file. */
  shift(file: string): void {
    const events = this.#byFile.get(file);
    if (events?.shift() === undefined) return;
    this.#size -= 1;
    if (events.length === 0) this.#byFile.delete(file);
  }

  /** Forgets all that is kept for the file, and gives it. */
  drop(file: string): readonly EventEnvelope[] {
    const events = this.of(file);
    this.#byFile.delete(file);
    this.#size -= events.length;
    return events;
  }

  /** By file, in the order of their names. */
  toJSON(): readonly { readonly file: string; readonly events: readonly EventEnvelope[] }[] {
    return this.files().map((file) => ({ file, events: [...this.of(file)] }));
  }
}

/** Files that are back and for which events are kept, in the order of their names. */
export function dueKept(
  { kept }: Pick<CoordinatorState, "kept">,
  index: RuleIndex,
): readonly string[] {
  if (kept.size === 0) return [];
  const loaded = loadedFiles(index);
  return kept.files().filter((file) => loaded.has(file));
}

/** Whether events that were put off are to be decided now: kept ones of files that are back, or dead letters. */
export function hasPutOff(
  state: Pick<CoordinatorState, "kept" | "retries">,
  index: RuleIndex,
): boolean {
  return state.retries.length > 0 || dueKept(state, index).length > 0;
}
