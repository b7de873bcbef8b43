import type { DataOf, ErrorCode, events, ProcessorFile } from "@halon/protocol";
import type {
  ArrivedEvent,
  FileFault,
  FileToLoad,
  FromProcessor,
  PublishedEvent,
  ToProcessor,
} from "./processor-messages.ts";

/** Events that wait for the processor, at most; more are refused. */
export const processorQueueMax = 10_000;
/** Events of one step. */
const stepMax = 1_024;
/** The driver gives `tick` so often, in ms. */
export const processorTickMs = 250;
/** Ticks without a beat of the thread that has work, after which it hangs: 2 s. */
const stillMax = 8;
/** The same before its first beat: what it imports has to be read. */
const stillAtStartMax = 120;
/** How soon it is looked again whether there is room for what is published. */
const roomMs = 10;
const restartMsFirst = 100;
const restartMsMost = 10_000;
/** A thread that ran this long has shown that it can. */
const steadyMs = 10_000;
/** How often events may have been under way when the thread ended. */
const triesMax = 2;

/** A rule file that this node is to run, as the graph has it. */
export interface WantedFile extends Pick<FileToLoad, "options" | "edition"> {
  readonly file: string;
  readonly blob: string;
  /** How often people have taken it back. */
  readonly released: number;
  /** Types of event that it takes. */
  readonly hears: readonly string[];
}

export type ProcessorEvent =
  | { readonly event: "ProcessorChanged"; readonly data: DataOf<typeof events.ProcessorChanged> }
  | {
      readonly event: "ProcessorRestarted";
      readonly data: DataOf<typeof events.ProcessorRestarted>;
    }
  | {
      readonly event: "ProcessorFileFailed";
      readonly data: DataOf<typeof events.ProcessorFileFailed>;
    };

/** What the driver of a processor has to do, in order. */
export type ProcessorEffect =
  /** Start a thread; its messages come as `answered`, its end as `ended`. */
  | { readonly type: "start" }
  /** End the thread wherever it is. */
  | { readonly type: "end" }
  | { readonly type: "tell"; readonly message: ToProcessor }
  /** Get this file onto the node, then `follow` again; keep trying. */
  | { readonly type: "fetch"; readonly blob: string }
  | ({ readonly type: "emit" } & ProcessorEvent)
  /** Events for the decision log, numbered as others of this node. */
  | { readonly type: "publish"; readonly events: readonly PublishedEvent[] }
  /** Call `look` after so long; what was armed before is disarmed. */
  | { readonly type: "arm"; readonly inMs: number }
  /** The service has begun, again if it had before. */
  | { readonly type: "began" };

/** Whether events are taken: all of them or none. */
export type Offer =
  | { readonly type: "taken"; readonly effects: readonly ProcessorEffect[] }
  | { readonly type: "refused"; readonly code: ErrorCode; readonly reason: string };

/** How it stands. */
export interface ProcessorView {
  readonly state: "idle" | "running" | "starting";
  /** Events that wait, and for how long the first of them has, in ms. */
  readonly queue: number;
  readonly lagMs: number;
  readonly files: readonly ProcessorFile[];
  readonly windows: number;
  readonly restarts: number;
}

interface Thread {
  readonly startedAt: number;
  /** Told something that it has not answered. */
  isBusy: boolean;
  beats: number;
  still: number;
  /** Ended because it hung. */
  hangs: boolean;
}

/**
 * Decides what becomes of the events of a node that rule files on it take: what its processor's thread is given, when it is
 * started again, and which files it is started without.
 *
 * Times are of the processor's clock, in ms. `hasRoom` says whether events may be published now.
 */
export class ProcessorCore {
  readonly #node: string;
  readonly #hasRoom: () => boolean;
  #wanted: readonly WantedFile[] = [];
  /** What the thread is to have. */
  #files: readonly FileToLoad[] = [];
  /** What it was told to have, and what it has answered that it has. */
  #asked: readonly FileToLoad[] = [];
  #loaded: readonly FileToLoad[] = [];
  #isFilesTold = true;
  /** By file. */
  readonly #quarantined = new Map<string, FileFault & Pick<FileToLoad, "blob" | "edition">>();
  #queue: ArrivedEvent[] = [];
  #underWay = 0;
  #tries = 0;
  #thread: Thread | undefined;
  #startAt: number | undefined;
  #attempt = 0;
  #starts = 0;
  #windows = 0;
  #firstDue: number | null = null;
  /** What is lost, to be told when the next thread has begun. */
  #lost: { windows: number; events: number; reason: string } | undefined;
  #told = "[]";

  constructor(node: string, hasRoom: () => boolean) {
    this.#node = node;
    this.#hasRoom = hasRoom;
  }

  /** The graph wants these files, and `has` says which blobs are here. `told`: what it has of this node's processor. */
  follow(
    wanted: readonly WantedFile[],
    has: (blob: string) => boolean,
    now: number,
    told: readonly ProcessorFile[] = [],
  ): readonly ProcessorEffect[] {
    this.#wanted = wanted;
    if (this.#starts === 0) this.#told = JSON.stringify(told);
    const missing = wanted.filter(({ blob }) => !has(blob)).map(({ blob }) => blob);
    const fetches = [...new Set(missing)].map((blob) => ({ type: "fetch", blob }) as const);
    for (const [file, { version }] of this.#quarantined)
      if (!wanted.some((each) => each.file === file && versionOf(each) === version))
        this.#quarantined.delete(file);
    const files = this.#filesOf(has);
    if (JSON.stringify(files) !== JSON.stringify(this.#files)) {
      this.#files = files;
      this.#isFilesTold = false;
    }
    const isIdle = this.#thread === undefined && this.#startAt === undefined;
    if (isIdle && this.#starts === 0 && files.length > 0)
      return [...fetches, ...this.#start(now), ...this.#tellState()];
    if (isIdle && files.length === 0) return [...fetches, ...this.#tellState()];
    return [...fetches, ...this.look(now)];
  }

  /** Events have come in at this node. */
  offer(events: readonly Pick<ArrivedEvent, "type" | "data">[], now: number): Offer {
    for (const type of new Set(events.map((event) => event.type))) {
      const refusal = this.#refusalOf(type);
      if (refusal !== null) return { type: "refused", ...refusal };
    }
    if (this.#queue.length + events.length > processorQueueMax) {
      const reason = `${this.#queue.length} events wait for the processor of ${this.#node}, at most ${processorQueueMax} may; nothing was taken, try again in a second`;
      return { type: "refused", code: "HAL_OVERLOADED", reason };
    }
    for (const { type, data } of events) this.#queue.push({ type, data, at: now });
    return { type: "taken", effects: this.look(now) };
  }

  /** The thread has answered what it was told. */
  answered(answer: FromProcessor, now: number): readonly ProcessorEffect[] {
    if (this.#thread === undefined || answer.type === "status") return [];
    this.#thread.isBusy = false;
    this.#windows = answer.windows;
    this.#firstDue = answer.firstDue;
    if (answer.type === "files") this.#loaded = this.#asked;
    const told = [...this.#quarantine(answer.faults), ...this.#tellState()];
    if (answer.type === "files") return [...this.#tellRestart(), ...told, ...this.look(now)];
    this.#queue.splice(0, answer.taken);
    this.#underWay = 0;
    this.#tries = 0;
    const published: ProcessorEffect[] =
      answer.published.length === 0 ? [] : [{ type: "publish", events: answer.published }];
    const lost = answer.lost.map(({ file, windows }) => this.#lostOf(file, windows));
    return [...published, ...lost, ...told, ...this.look(now)];
  }

  /** The thread has ended; `running`: the file whose code ran then. */
  ended(reason: string, running: string | null, now: number): readonly ProcessorEffect[] {
    const thread = this.#thread;
    if (thread === undefined) return [];
    this.#thread = undefined;
    const what = thread.hangs ? `hung for ${(stillMax * processorTickMs) / 1_000} s` : reason;
    const known = this.#files.find(({ file }) => file === running);
    const dropped = known === undefined ? this.#dropUnderWay() : 0;
    this.#underWay = 0;
    this.#lost = {
      windows: (this.#lost?.windows ?? 0) + this.#windows,
      events: (this.#lost?.events ?? 0) + dropped,
      reason:
        known === undefined
          ? `its thread ended: ${what}`
          : `its thread ended in ${known.file}: ${what}`,
    };
    this.#windows = 0;
    this.#firstDue = null;
    this.#isFilesTold = false;
    if (known !== undefined) {
      const { file, version } = known;
      const told = `its code ended the processor (${what}), which was started again without it`;
      return [
        ...this.#quarantine([{ file, version, reason: told }]),
        ...this.#tellState(),
        ...this.#start(now),
      ];
    }
    this.#attempt = now - thread.startedAt >= steadyMs ? 0 : this.#attempt + 1;
    const waitMs = Math.min(restartMsMost, restartMsFirst * 2 ** Math.min(this.#attempt, 10));
    this.#startAt = now + waitMs;
    return [{ type: "arm", inMs: waitMs }];
  }

  /** Time has passed; `beats` of the thread. */
  tick(beats: number, now: number): readonly ProcessorEffect[] {
    const thread = this.#thread;
    if (thread === undefined) return this.look(now);
    const isStill = thread.isBusy && thread.beats === beats;
    thread.beats = beats;
    thread.still = isStill ? thread.still + 1 : 0;
    const most = beats === 0 ? stillAtStartMax : stillMax;
    if (thread.still < most || thread.hangs) return [];
    thread.hangs = true;
    return [{ type: "end" }];
  }

  /** What is to be done now. */
  look(now: number): readonly ProcessorEffect[] {
    const thread = this.#thread;
    if (thread === undefined) {
      if (this.#startAt === undefined) return [];
      return now < this.#startAt ? [{ type: "arm", inMs: this.#startAt - now }] : this.#start(now);
    }
    if (thread.isBusy) return [];
    if (!this.#isFilesTold) return this.#tellFiles(thread);
    const isDue = this.#firstDue !== null && this.#firstDue <= now;
    if (this.#queue.length === 0 && !isDue)
      return this.#firstDue === null ? [] : [{ type: "arm", inMs: this.#firstDue - now }];
    if (!this.#hasRoom()) return [{ type: "arm", inMs: roomMs }];
    const events = this.#queue.slice(0, stepMax);
    this.#underWay = events.length;
    // What is due after events that wait comes after them.
    const until = this.#queue[stepMax]?.at ?? now;
    return this.#tell(thread, { type: "work", now: until, events });
  }

  view(now: number): ProcessorView {
    const [first] = this.#queue;
    const isWaiting = this.#startAt !== undefined || this.#lost !== undefined;
    const isUp = this.#thread !== undefined;
    return {
      state: isWaiting ? "starting" : isUp ? "running" : "idle",
      queue: this.#queue.length,
      lagMs: first === undefined ? 0 : now - first.at,
      files: this.#state(),
      windows: this.#windows,
      restarts: Math.max(0, this.#starts - 1),
    };
  }

  #tell(thread: Thread, message: ToProcessor): readonly ProcessorEffect[] {
    thread.isBusy = true;
    thread.still = 0;
    return [{ type: "tell", message }];
  }

  #start(now: number): readonly ProcessorEffect[] {
    this.#startAt = undefined;
    this.#starts += 1;
    this.#thread = { startedAt: now, isBusy: false, beats: 0, still: 0, hangs: false };
    return [{ type: "start" }, { type: "began" }, ...this.#tellFiles(this.#thread)];
  }

  #tellFiles(thread: Thread): readonly ProcessorEffect[] {
    this.#isFilesTold = true;
    this.#asked = this.#files;
    return this.#tell(thread, { type: "files", files: this.#files });
  }

  /** A version that is not here yet leaves the one before in force. */
  #filesOf(has: (blob: string) => boolean): readonly FileToLoad[] {
    return this.#wanted.flatMap((wanted): readonly FileToLoad[] => {
      const { file, blob, options } = wanted;
      if (this.#quarantined.has(file)) return [];
      const given = { ...(options === undefined ? {} : { options }), ...editionOf(wanted) };
      if (has(blob)) return [{ file, blob, version: versionOf(wanted), ...given }];
      return this.#files.filter((each) => each.file === file);
    });
  }

  #refusalOf(type: string): { readonly code: ErrorCode; readonly reason: string } | null {
    const hearers = this.#wanted.filter(({ hears }) => hears.includes(type));
    const [first] = hearers;
    if (first === undefined) {
      const reason = `no rule file on ${this.#node} takes events of type ${type}`;
      return { code: "HAL_EVENT_UNKNOWN", reason };
    }
    if (hearers.some(({ file }) => this.#files.some((each) => each.file === file))) return null;
    const out = this.#quarantined.get(first.file);
    if (out === undefined) {
      const reason = `${this.#node} is about to load rule file ${first.file}, which takes ${type}; try again in a second`;
      return { code: "HAL_OVERLOADED", reason };
    }
    const reason = `rule file ${first.file}, which takes ${type}, is in quarantine on ${this.#node}: ${out.reason}; correct and apply it, or use halonctl rule enable ${first.file}`;
    return { code: "HAL_CONFLICT", reason };
  }

  #quarantine(faults: readonly FileFault[]): readonly ProcessorEffect[] {
    return faults.flatMap((fault): readonly ProcessorEffect[] => {
      const isIt = (each: FileToLoad): boolean =>
        each.file === fault.file && each.version === fault.version;
      this.#loaded = this.#loaded.filter((each) => !isIt(each));
      const known = this.#files.find(isIt);
      // Of a version that is not wanted any more it is no news.
      if (known === undefined) return [];
      const { file, blob } = known;
      const reason = fault.reason.slice(0, 2_000);
      this.#quarantined.set(file, { ...fault, reason, blob, ...editionOf(known) });
      this.#files = this.#files.filter((each) => each !== known);
      const data = { node: this.#node, file, blob, reason };
      return [{ type: "emit", event: "ProcessorFileFailed", data }];
    });
  }

  #tellState(): readonly ProcessorEffect[] {
    const files = this.#state();
    const text = JSON.stringify(files);
    if (text === this.#told) return [];
    this.#told = text;
    const data = { node: this.#node, files: [...files] };
    return [{ type: "emit", event: "ProcessorChanged", data }];
  }

  #tellRestart(): readonly ProcessorEffect[] {
    const lost = this.#lost;
    if (lost === undefined) return [];
    this.#lost = undefined;
    const data = {
      node: this.#node,
      lost: lost.windows,
      ...(lost.events === 0 ? {} : { events: lost.events }),
      reason: lost.reason.slice(0, 2_000),
    };
    return [{ type: "emit", event: "ProcessorRestarted", data }];
  }

  #lostOf(file: string, windows: number): ProcessorEffect {
    const reason = "the node was too busy to end a step of it in time";
    const data = { node: this.#node, lost: windows, file, reason };
    return { type: "emit", event: "ProcessorRestarted", data };
  }

  /** Events with which the thread ends again and again are given up; how many. */
  #dropUnderWay(): number {
    const count = this.#underWay;
    this.#underWay = 0;
    this.#tries = count === 0 ? 0 : this.#tries + 1;
    if (this.#tries < triesMax) return 0;
    this.#tries = 0;
    this.#queue.splice(0, count);
    return count;
  }

  #state(): readonly ProcessorFile[] {
    return this.#wanted.flatMap(({ file }): readonly ProcessorFile[] => {
      const out = this.#quarantined.get(file);
      if (out !== undefined) {
        const { blob, reason } = out;
        return [{ file, blob, ...editionOf(out), state: "quarantined", reason }];
      }
      const known = this.#loaded.find((each) => each.file === file);
      if (known === undefined) return [];
      return [{ file, blob: known.blob, ...editionOf(known), state: "loaded" }];
    });
  }
}

function editionOf({ edition }: Pick<FileToLoad, "edition">): Pick<FileToLoad, "edition"> {
  return edition === undefined ? {} : { edition };
}

function versionOf({ blob, released, edition }: WantedFile): string {
  return `${blob}:${released}${edition === undefined ? "" : `#${edition}`}`;
}
