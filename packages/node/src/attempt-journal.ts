import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";

const Entry = z.looseObject({
  /** The attempt: the instance of its command, or the id. */
  instance: z.string(),
  /** Absent: it was begun. */
  outcome: z.string().optional(),
  /** Of one that goes on after a crash: wall time in ms until when, and how often it was tried. */
  until: z.number().optional(),
  tried: z.number().optional(),
});
type Entry = z.infer<typeof Entry>;

/** How far an attempt of the journal came. */
export type Attempt<E> =
  /** It was begun; `isLost`: by an earlier process, which did not write its end. */
  | {
      readonly state: "begun";
      readonly isLost: boolean;
      readonly until?: number | undefined;
      readonly tried?: number | undefined;
    }
  | { readonly state: "ended"; readonly end: E };

export interface AttemptJournalOptions<E> {
  readonly path: string;
  /** What is written of an end. Members of another schema count as a line that a crash has cut off. */
  readonly end: z.ZodType<E>;
  /** Attempts that are remembered; the oldest that have ended are forgotten first. */
  readonly attemptsMax: number;
}

/**
 * What this node has begun and may not begin again, and how it ended: a line of JSON each, on the disk before it counts.
 *
 * A line that a crash has cut off is of an attempt that was not begun, or of an end that was not told.
 */
export class AttemptJournal<E extends { readonly outcome: string }> {
  readonly #options: AttemptJournalOptions<E>;
  readonly #attempts = new Map<string, Attempt<E>>();
  #file: Promise<FileHandle> | undefined;
  #isTorn = false;
  /** Lines are written one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: AttemptJournalOptions<E>) {
    this.#options = options;
    const text = readText(options.path);
    const lines = text.split("\n");
    const isTorn = lines.pop() !== "";
    for (const line of lines) this.#take(parse(line));
    for (const [instance, attempt] of this.#attempts)
      if (attempt.state === "begun") this.#attempts.set(instance, { ...attempt, isLost: true });
    if (isTorn || lines.length > 4 * options.attemptsMax) this.#rewrite();
  }

  /** How far it came; undefined when it was never begun. */
  find(instance: string): Attempt<E> | undefined {
    return this.#attempts.get(instance);
  }

  /** Resolves when the start is on the disk; rejects when it cannot be written, and then it counts for nothing. */
  async begin(
    instance: string,
    on: { readonly until?: number; readonly tried?: number } = {},
  ): Promise<void> {
    await this.#append({ instance, ...on });
    this.#take({ instance, ...on });
  }

  async end(instance: string, end: E): Promise<void> {
    this.#take({ instance, ...end });
    await this.#append({ instance, ...end });
  }

  async close(): Promise<void> {
    await this.#last.catch(() => undefined);
    const file = await this.#file?.catch(() => undefined);
    await file?.close();
  }

  #take(entry: Entry | undefined): void {
    if (entry === undefined) return;
    const attempt = this.#attemptOf(entry);
    if (attempt === undefined) return;
    const { instance } = entry;
    this.#attempts.delete(instance);
    this.#attempts.set(instance, attempt);
    if (this.#attempts.size <= this.#options.attemptsMax) return;
    for (const [oldest, { state }] of this.#attempts) {
      if (state !== "ended") continue;
      this.#attempts.delete(oldest);
      return;
    }
  }

  #attemptOf({ instance: _, ...rest }: Entry): Attempt<E> | undefined {
    const { outcome, until, tried } = rest;
    if (outcome === undefined) return { state: "begun", isLost: false, until, tried };
    const end = this.#options.end.safeParse(rest);
    return end.success ? { state: "ended", end: end.data } : undefined;
  }

  #append(entry: Entry): Promise<void> {
    const written = this.#last.then(async () => {
      try {
        this.#file ??= this.#open();
        const file = await this.#file;
        // What a write before has left of a line must not swallow this one.
        await file.appendFile(`${this.#isTorn ? "\n" : ""}${JSON.stringify(entry)}\n`);
        await file.datasync();
        this.#isTorn = false;
      } catch (error) {
        this.#isTorn = true;
        const file = await this.#file?.catch(() => undefined);
        this.#file = undefined;
        await file?.close();
        throw error;
      }
    });
    this.#last = written.catch(() => undefined);
    return written;
  }

  async #open(): Promise<FileHandle> {
    const { path } = this.#options;
    const file = await open(path, "a", 0o600);
    const directory = await open(dirname(path), "r");
    await directory.sync();
    await directory.close();
    return file;
  }

  #rewrite(): void {
    const { path } = this.#options;
    const aside = `${path}.new`;
    const file = openSync(aside, "w", 0o600);
    for (const [instance, attempt] of this.#attempts)
      writeSync(file, `${JSON.stringify({ instance, ...written(attempt) })}\n`);
    fsyncSync(file);
    closeSync(file);
    renameSync(aside, path);
  }
}

function written<E>(attempt: Attempt<E>): object {
  if (attempt.state === "ended") return attempt.end as object;
  const { until, tried } = attempt;
  return { until, tried };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

function parse(line: string): Entry | undefined {
  try {
    return Entry.safeParse(JSON.parse(line)).data;
  } catch {
    // A line that a crash has cut off, and that a later one was written behind.
    return undefined;
  }
}
