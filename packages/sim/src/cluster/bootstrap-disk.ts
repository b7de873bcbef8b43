import { contradictionIn, Setup } from "@halon/node/core";
import type { Prng } from "../prng.ts";
import type { CrashTail } from "../scenario.ts";

/** Steps of a save, in their order: what is there after a loss of power depends on the last that was done. */
const steps = ["begun", "written", "synced", "renamed", "directorySynced"] as const;

/** What is read at a start. */
export type FoundSetup =
  | { readonly type: "none" }
  | { readonly type: "setup"; readonly setup: Setup }
  | { readonly type: "damaged"; readonly reason: string };

/**
 * `setup.json` on the disk of a node: written aside, synced, renamed, the directory synced (rfc/0007).
 *
 * One save at a time. After a loss of power the old text is there or the new one; what was written aside may be torn, and nobody reads it.
 */
export class SetupDisk {
  #text: string | null = null;
  #aside: string | null = null;
  #saving: string | null = null;

  /** The text of `setup.json`; null: there is none. */
  get text(): string | null {
    return this.#text;
  }

  /** What an earlier save left in `setup.json.new`. */
  get aside(): string | null {
    return this.#aside;
  }

  begin(setup: Setup): void {
    if (this.#saving !== null) throw new Error("a save begins before the one before it has ended");
    this.#saving = textOf(setup);
  }

  /** All steps are done. */
  done(): void {
    if (this.#saving === null) throw new Error("no save is under way");
    this.#text = this.#saving;
    this.#aside = null;
    this.#saving = null;
  }

  losePower(tail: CrashTail, prng: Prng): void {
    const saving = this.#saving;
    this.#saving = null;
    if (saving === null) return;
    const last = steps[prng.below(steps.length)] ?? "begun";
    if (last === "written" && tail !== "lost")
      this.#aside = tail === "torn" ? saving.slice(0, prng.below(saving.length)) : saving;
    if (last === "synced") this.#aside = saving;
    // A name that is not synced is the old one or the new one.
    if (last === "directorySynced" || (last === "renamed" && tail !== "lost")) {
      this.#text = saving;
      this.#aside = null;
    }
  }

  /** The data directory is gone. */
  wipe(): void {
    this.#text = null;
    this.#aside = null;
  }

  read(): FoundSetup {
    if (this.#text === null) return { type: "none" };
    try {
      const setup = Setup.parse(JSON.parse(this.#text));
      const contradiction = contradictionIn(setup);
      if (contradiction !== null) return { type: "damaged", reason: contradiction };
      return { type: "setup", setup };
    } catch (error) {
      return { type: "damaged", reason: error instanceof Error ? error.message : String(error) };
    }
  }
}

/** As it stands on the disk. */
export function textOf(setup: Setup): string {
  return JSON.stringify(setup);
}
