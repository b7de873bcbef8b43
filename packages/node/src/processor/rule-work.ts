import {
  loadRuleScript,
  type ProgressWriter,
  type RuleScript,
  runWithin,
} from "@halon/coordinator/realm";
import { type Json, type JsonObject, toErrorData } from "@halon/protocol";
import { Processor, type ProcessorRules } from "@halon/rules/processor";
import type {
  ArrivedEvent,
  FileFault,
  FileToLoad,
  FromProcessor,
  ToProcessor,
} from "../core/processor-messages.ts";
import { threadCpuMs } from "./thread-cpu.ts";

/** What the thread is given. */
export interface ProcessorThreadData {
  readonly progress: SharedArrayBuffer;
}

/** A rule file to load, and where it is. */
export interface FileAt extends FileToLoad {
  readonly path: string;
}

/** What the thread is told. */
export type ToProcessorThread =
  | Exclude<ToProcessor, { readonly type: "files" }>
  | { readonly type: "files"; readonly files: readonly FileAt[] };

/** Work after which the deadline begins anew, and the deadline of what comes then: code that runs so long is ended. */
const sliceMs = 20;
const deadlineMs = 400;
/** CPU of the thread in that time that proves something about the file; on a busy node it gets more time to come to that. */
const provenCpuMs = 100;
const patienceMax = 4;
/** Matches of time between two looks at the clock. */
const dueMost = 64;
/** Published events with which a step is over: more of them may have no room. */
const publishedMost = 500;

interface Loaded {
  readonly script: RuleScript;
  readonly rules: ProcessorRules;
}

/** The rule files of a node in its processor's thread, which run in slices with a deadline. */
export class RuleWork {
  readonly #progress: ProgressWriter;
  readonly #processor: Processor;
  /** By file and version, which begins with the blob. */
  #loaded = new Map<string, Loaded>();
  #since = 0;
  #patience = 1;
  #faults: FileFault[] = [];
  #lost: { file: string; windows: number }[] = [];

  constructor(progress: ProgressWriter) {
    this.#progress = progress;
    this.#processor = new Processor({
      running: (file) => {
        if (file !== null) this.#since = performance.now();
        progress.running(file);
      },
      locate: (_, error) => locate(this.#loaded.values(), error),
    });
  }

  /** Brings these files into force; those that cannot be are named. */
  async load(files: readonly FileAt[]): Promise<FromProcessor> {
    this.#progress.files(files.map(({ file }) => file));
    const before = this.#loaded;
    this.#loaded = new Map();
    for (const { file, path, version, options } of files) {
      try {
        const known = before.get(`${file} ${version}`)?.script;
        const script = known ?? (await this.#loadScript(file, path, options));
        const { rules } = script;
        if (rules.runs !== "node") throw new TypeError('it does not say runs: "node"');
        this.#loaded.set(`${file} ${version}`, { script, rules: { name: file, version, rules } });
      } catch (error) {
        this.#faults.push({ file, version, reason: messageOf(error).slice(0, 2_000) });
      } finally {
        this.#progress.running(null);
      }
    }
    this.#processor.bring([...this.#loaded.values()].map(({ rules }) => rules));
    return { type: "files", ...this.#told() };
  }

  /** Takes events in order, and what is due by `now`. */
  take(events: readonly ArrivedEvent[], now: number): FromProcessor {
    const processor = this.#processor;
    const published: ReturnType<Processor["takePublished"]>[number][] = [];
    let taken = 0;
    /** The event at hand was begun, and something ended it in the middle. */
    let isCut = false;
    let hasMore = true;
    const slice = (): void => {
      const end = performance.now() + sliceMs;
      while (hasMore && performance.now() < end && published.length < publishedMost) {
        const event = events[taken];
        if (isCut && event !== undefined) {
          processor.goOn(event.at);
          isCut = false;
          taken += 1;
        } else if (!processor.due(event?.at ?? now, dueMost)) {
          if (event === undefined) hasMore = false;
          else {
            isCut = true;
            processor.take(event, event.at);
            isCut = false;
            taken += 1;
          }
        }
        published.push(...processor.takePublished());
      }
    };
    while (hasMore && published.length < publishedMost) {
      this.#progress.beat();
      this.#attempt(slice);
    }
    const lost = this.#lost;
    this.#lost = [];
    return { type: "work", taken, published, lost, ...this.#told() };
  }

  status(): Json {
    return this.#processor.status().map(({ version, ...status }) => ({
      ...status,
      blob: version.split(":")[0] ?? "",
    }));
  }

  /** Runs the slice with a deadline; the file that it was ended in goes into quarantine, or begins anew. */
  #attempt(slice: () => void): void {
    const before = threadCpuMs();
    if (runWithin(deadlineMs * this.#patience, slice) !== null) return;
    const cpuMs = threadCpuMs() - before;
    const ranMs = performance.now() - this.#since;
    const file = this.#processor.interrupted();
    this.#progress.running(null);
    if (file === null) return;
    if (ranMs >= deadlineMs / 2 && cpuMs >= provenCpuMs) {
      this.#patience = 1;
      const reason = `its code ran for ${Math.round(ranMs)} ms on one event without an end`;
      this.#processor.drop(file, reason);
      return;
    }
    // Not known to be at fault; but it may be half done.
    this.#patience = Math.min(patienceMax, this.#patience * 2);
    this.#lost.push({ file, windows: this.#processor.forget(file) });
  }

  #told() {
    const faults = [...this.#faults, ...this.#processor.takeFlaws()];
    this.#faults = [];
    const { windows, firstDue } = this.#processor;
    return { windows, firstDue: Number.isFinite(firstDue) ? firstDue : null, faults };
  }

  #loadScript(file: string, path: string, options?: JsonObject): Promise<RuleScript> {
    return loadRuleScript(path, file, (running) => this.#progress.running(running), options);
  }
}

/** The first place in the stack of the error that is in a rule file, in the words of its author. */
function locate(files: Iterable<Loaded>, error: unknown): string | null {
  const { stack } = (error ?? {}) as { readonly stack?: unknown };
  const frame = typeof stack === "string" ? /([0-9a-f]{64})\.\w+:(\d+):(\d+)/.exec(stack) : null;
  if (frame === null) return null;
  const [, blob = "", line, column] = frame;
  for (const { rules, script } of files)
    if (rules.version.startsWith(blob)) return script.whereIs(Number(line), Number(column));
  return null;
}

/** Errors of a realm are of another class Error. */
function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return typeof message === "string" ? message : toErrorData(error).message;
}
