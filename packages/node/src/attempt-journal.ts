import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";

/** Attempts that are remembered; the oldest that have ended are forgotten first. */
const attemptsMax = 1_000;
/** Lines after which the file is written anew when it is opened. */
const linesMax = 4 * attemptsMax;

const Entry = z.object({
  /** The attempt: the instance of its command. */
  instance: z.string(),
  /** Absent: it was begun. */
  outcome: z.enum(["done", "failed", "unknown"]).optional(),
  detail: z.string().optional(),
});
type Entry = z.infer<typeof Entry>;

/** How an attempt ended. `unknown`: the process that ran it ended before it. */
export interface HookEnd {
  readonly outcome: "done" | "failed" | "unknown";
  readonly detail?: string | undefined;
}

/**
 * The hooks that this node has begun, and how they ended: a line of JSON each, on the disk before it counts.
 *
 * A line that a crash has cut off is of an attempt that was not begun, or of an end that was not told.
 */
export class HookJournal {
  readonly #path: string;
  readonly #attempts = new Map<string, HookEnd | undefined>();
  #file: Promise<FileHandle> | undefined;
  #isTorn = false;
  /** Lines are written one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
    const text = readText(path);
    const lines = text.split("\n");
    const isTorn = lines.pop() !== "";
    for (const line of lines) this.#take(parse(line));
    for (const [instance, end] of this.#attempts) {
      if (end === undefined) this.#attempts.set(instance, { outcome: "unknown" });
    }
    if (isTorn || lines.length > linesMax) this.#rewrite();
  }

  /** How the attempt ended; undefined when it was never begun. One of an earlier process that has no end is unknown. */
  endOf(instance: string): HookEnd | undefined {
    return this.#attempts.get(instance);
  }

  /** Resolves when the start is on the disk; rejects when it cannot be written, and then it counts for nothing. */
  async begin(instance: string): Promise<void> {
    await this.#append({ instance });
    this.#take({ instance });
  }

  async end(instance: string, end: HookEnd): Promise<void> {
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
    const { instance, outcome, detail } = entry;
    this.#attempts.delete(instance);
    this.#attempts.set(instance, outcome === undefined ? undefined : { outcome, detail });
    if (this.#attempts.size <= attemptsMax) return;
    const oldest = [...this.#attempts].find(([, end]) => end !== undefined);
    if (oldest !== undefined) this.#attempts.delete(oldest[0]);
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
    const file = await open(this.#path, "a", 0o600);
    const directory = await open(dirname(this.#path), "r");
    await directory.sync();
    await directory.close();
    return file;
  }

  #rewrite(): void {
    const aside = `${this.#path}.new`;
    const file = openSync(aside, "w", 0o600);
    for (const [instance, end] of this.#attempts)
      writeSync(file, `${JSON.stringify({ instance, ...end })}\n`);
    fsyncSync(file);
    closeSync(file);
    renameSync(aside, this.#path);
  }
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
