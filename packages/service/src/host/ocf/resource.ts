import { HalonError, type Json, type JsonObject } from "@halon/protocol";
import { limits } from "../limits.ts";
import { capOutput, lastLines, type OutputCap } from "../process/output.ts";
import { isRunning, type ProcessId, readStat } from "../process/proc.ts";
import type { RunnerEvent, RunnerSpec } from "../runner.ts";
import { type Call, callAgent, type Outcome } from "./action.ts";
import { dropScratch, environmentOf, type Resource } from "./environment.ts";
import { advance, type Life, type LifeEffect, type LifeInput, unborn } from "./life.ts";
import { endProcesses, processesOf, readPidFile, rootsOf } from "./processes.ts";
import { removeRecord } from "./record.ts";
import { isUp, judge, type Verdict } from "./verdict.ts";

const watchEveryMs = 100;
/** Servers that come and go with each of their clients must not set off a monitor each. */
const watchedMax = 16;
const looksEveryMs = 500;
/**
 * So often it is looked again, each time after twice as long: most agents ask the kernel for a number, which a dead
 * process keeps until its parent has taken note of it.
 */
const doubtsMax = 4;
const pauseMs = 200;
/** The own deadline comes before that of the life cycle, which cannot say why. */
const startShare = 0.95;
const timeoutMsMin = 10;
const waitingMax = 16;
const unknownTimeoutMs = 20_000;

/** An action that somebody waits for. */
export interface Wanted {
  readonly action: string;
  readonly timeoutMs: number;
  readonly meta?: Readonly<Record<string, string>>;
  /** Instead of those that the resource has. */
  readonly values?: JsonObject;
}

interface Waiting extends Wanted {
  readonly done: (verdict: Verdict) => void;
  readonly failed: (error: Error) => void;
}

/** A resource behind its agent: performs what its life asks for, one call at a time. */
export class LiveResource {
  readonly #spec: RunnerSpec;
  readonly #listener: (event: RunnerEvent) => void;
  readonly #actions: ReadonlyMap<string, { readonly timeoutMs: number }>;
  readonly #names: ReadonlySet<string>;
  readonly #cap: OutputCap;
  readonly #inputs: LifeInput[] = [];
  readonly #wanted: Waiting[] = [];
  readonly #looking = new Set<(verdict: Verdict) => void>();
  #resource: Resource;
  #life: Life = unborn;
  #isTurning = false;
  #isReleased = false;
  #call: Call | undefined;
  #acting: Waiting | undefined;
  #last: { readonly verdict: Verdict; readonly at: number } | undefined;
  #watched: readonly ProcessId[] = [];
  #isStale = false;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #beganAt = 0;
  #doubts = 0;
  #watchTimer: NodeJS.Timeout | undefined;
  #lateTimer: NodeJS.Timeout | undefined;
  #pauseTimer: NodeJS.Timeout | undefined;

  constructor(spec: RunnerSpec, resource: Resource, listener: (event: RunnerEvent) => void) {
    this.#spec = spec;
    this.#resource = resource;
    this.#listener = listener;
    this.#actions = new Map(Object.entries(spec.manifest.ocf?.actions ?? {}));
    this.#names = new Set(this.#actions.keys());
    this.#cap = capOutput(spec.directory, limits.outputBytesMax);
  }

  /** Not from within the call that made it: its listener may not be whole then. */
  begin(adopted: boolean): void {
    this.#beganAt = performance.now();
    this.#lateTimer = setTimeout(
      () => this.take({ type: "late" }),
      this.#spec.manifest.startTimeoutMs * startShare,
    );
    // It may have died while nobody looked.
    if (adopted) this.#doubts = doubtsMax;
    this.take({ type: "begin", adopted });
  }

  get life(): Life {
    return this.#life;
  }

  get values(): JsonObject {
    return this.#resource.values;
  }

  /** What the last monitor said, and how long ago; undefined before the first. */
  get last(): { readonly verdict: Verdict; readonly ageMs: number } | undefined {
    if (this.#last === undefined) return undefined;
    const { verdict, at } = this.#last;
    return { verdict, ageMs: Math.round(performance.now() - at) };
  }

  /** The process by which it is known, and the others of it that were seen. */
  get processes(): readonly ProcessId[] {
    const file = readPidFile(this.#resource.values);
    const others = this.#watched.filter(({ pid }) => pid !== file?.pid);
    return file === undefined ? others : [file, ...others];
  }

  /** Those of its processes that were stopped by a signal. */
  stopped(): readonly ProcessId[] {
    return this.#watched.filter(({ pid, startTime }) => {
      const stat = readStat(pid);
      return stat?.state === "T" && stat.startTime === startTime;
    });
  }

  /** Takes an input; one that comes while another is performed waits for its turn. */
  take(input: LifeInput): void {
    if (this.#isReleased) return;
    this.#inputs.push(input);
    if (this.#isTurning) return;
    this.#isTurning = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        const [life, effects] = advance(this.#life, next, this.#names);
        this.#life = life;
        for (const effect of effects) this.#perform(effect);
        if (life.at !== "running") this.#refuseWaiting();
      }
    } finally {
      this.#isTurning = false;
    }
    this.#actNext();
  }

  /** The verdict of the next monitor, or of the one under way. */
  look(): Promise<Verdict> {
    if (this.#life.at !== "running") return Promise.reject(this.#notRunning());
    return new Promise((resolve) => {
      this.#looking.add(resolve);
      this.take({ type: "look", fresh: false });
    });
  }

  /** Calls another action when its turn comes. Rejects with HAL_SERVICE_NOT_RUNNING, HAL_TOO_MANY. */
  act(wanted: Wanted): Promise<Verdict> {
    if (this.#life.at !== "running") return Promise.reject(this.#notRunning());
    if (this.#wanted.length >= waitingMax) {
      const message = `${waitingMax} actions wait for ${this.#spec.instance} already; try again`;
      return Promise.reject(new HalonError("HAL_TOO_MANY", message));
    }
    return new Promise((done, failed) => {
      this.#wanted.push({ ...wanted, done, failed });
      this.#actNext();
    });
  }

  /** From now on the agent is called with these parameters. */
  setValues(values: JsonObject): void {
    this.#resource = { ...this.#resource, values };
  }

  lastLines(): readonly string[] {
    return lastLines(this.#spec.directory, 0);
  }

  /** Lets go of it: it runs on, and so does a call that is under way. */
  release(): void {
    this.#isReleased = true;
    this.#call?.leave();
    this.#cap.cancel();
    this.#stopTimers();
    this.#refuseWaiting();
    this.#acting?.failed(this.#notRunning());
  }

  #perform(effect: LifeEffect): void {
    switch (effect.type) {
      case "call":
        this.#callAgent(effect.action, effect.probe);
        return;
      case "drop":
        this.#call?.drop();
        return;
      case "endProcesses":
        void endProcesses(this.#resource.place, effect.gentle).then((left) =>
          this.take({ type: "killed", left: left.map(({ pid }) => pid) }),
        );
        return;
      case "pause":
        this.#pauseTimer = setTimeout(() => this.take({ type: "resume" }), pauseMs);
        return;
      case "watch":
        this.#watch();
        return;
      case "report":
        if (effect.event.type === "ready") clearTimeout(this.#lateTimer);
        if (effect.event.type === "exited") this.#finish();
        this.#listener(effect.event);
        return;
    }
  }

  #callAgent(action: string, isProbe: boolean): void {
    const acting = this.#acting?.action === action ? this.#acting : undefined;
    const timeoutMs = acting?.timeoutMs ?? this.#timeoutOf(action);
    const repeated = action === "monitor" && !isProbe;
    const intervalMs = repeated ? this.#spec.manifest.checkEveryMs : 0;
    const resource = { ...this.#resource, values: acting?.values ?? this.#resource.values };
    const about = { action, timeoutMs, intervalMs, meta: acting?.meta ?? {} };
    const ended = (outcome: Outcome) => this.#returned(action, outcome);
    // One that was stopped (SIGSTOP) acts on nothing before it goes on.
    if (action === "stop") for (const { pid } of this.stopped()) resume(pid);
    try {
      this.#call = callAgent(
        {
          agent: resource.agent,
          action,
          directory: this.#spec.directory,
          env: environmentOf(resource, about),
          timeoutMs,
          leavesProcesses: !["monitor", "validate-all", "stop", "notify"].includes(action),
        },
        ended,
      );
    } catch (error) {
      const reason = `${action} cannot be called: ${error instanceof Error ? error.message : error}`;
      this.#call = undefined;
      setImmediate(() => ended({ type: "notRun", reason }));
    }
  }

  /** As the meta-data advise, and no more than the manifest gives. */
  #timeoutOf(action: string): number {
    const { startTimeoutMs, stopTimeoutMs, checkTimeoutMs } = this.#spec.manifest;
    const advised = this.#actions.get(action)?.timeoutMs ?? unknownTimeoutMs;
    const given = action === "monitor" ? checkTimeoutMs : stopTimeoutMs;
    if (this.#life.at !== "arriving") return Math.min(advised, given);
    const leftMs = Math.round(startTimeoutMs * startShare - (performance.now() - this.#beganAt));
    return Math.max(timeoutMsMin, Math.min(advised, leftMs));
  }

  #returned(action: string, outcome: Outcome): void {
    if (this.#isReleased) return;
    this.#call = undefined;
    const verdict = judge(action, outcome);
    const { busy } = this.#life as { busy?: string | null };
    if (action === "monitor" && verdict.means !== "dropped") {
      this.#last = { verdict, at: performance.now() };
      // Only what is repeated answers a check; that of a probe is about something else.
      if (this.#life.at === "running" && busy === "monitor") this.#answerLooks(verdict);
    }
    const acted = this.#acting;
    this.#acting = undefined;
    if (this.#isStale && isUp(verdict)) this.#watch();
    this.take({ type: "returned", verdict });
    acted?.done(verdict);
  }

  #answerLooks(verdict: Verdict): void {
    for (const resolve of [...this.#looking]) resolve(verdict);
    this.#looking.clear();
  }

  #actNext(): void {
    const { life } = this;
    if (life.at !== "running" || life.busy !== null || this.#isTurning) return;
    const next = this.#wanted.shift();
    if (next === undefined) return;
    this.#acting = next;
    // It may start and end processes.
    this.#isStale = true;
    this.take({ type: "act", action: next.action });
  }

  /** A death is noticed before the next monitor is due. */
  #watch(): void {
    this.#isStale = false;
    const found = rootsOf(processesOf(this.#resource.place)).slice(0, watchedMax);
    const file = readPidFile(this.#resource.values);
    const isNew = file !== undefined && !found.some(({ pid }) => pid === file.pid);
    this.#watched = isNew ? [file, ...found] : found;
    this.#watchTimer ??= setInterval(() => this.#lookAfter(), watchEveryMs);
  }

  #lookAfter(): void {
    const running = this.#watched.filter(isRunning);
    const elapsedMs = performance.now() - this.#lookedAt;
    if (running.length < this.#watched.length) {
      if (elapsedMs < looksEveryMs) return;
      this.#doubts = doubtsMax;
    } else {
      if (this.#doubts === 0 || elapsedMs < looksEveryMs * 2 ** (doubtsMax - this.#doubts)) return;
      this.#doubts -= 1;
    }
    this.#lookedAt = performance.now();
    this.#watched = running;
    this.#isStale = true;
    this.take({ type: "look", fresh: true });
  }

  #refuseWaiting(): void {
    const gone = this.#notRunning();
    for (const { failed } of this.#wanted.splice(0)) failed(gone);
    for (const resolve of [...this.#looking]) {
      resolve({ means: "dropped", text: gone.message });
    }
    this.#looking.clear();
  }

  #notRunning(): HalonError {
    const message = `${this.#spec.instance} does not run`;
    return new HalonError("HAL_SERVICE_NOT_RUNNING", message);
  }

  /** Before the report of its end: the next start for this service may come from within it. */
  #finish(): void {
    this.#stopTimers();
    this.#cap.finish();
    removeRecord(this.#spec.directory);
    dropScratch(this.#resource.scratch);
  }

  #stopTimers(): void {
    clearInterval(this.#watchTimer);
    clearTimeout(this.#lateTimer);
    clearTimeout(this.#pauseTimer);
  }
}

function resume(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // ESRCH: it has ended. EPERM: it has become another user's, and the stop has its deadline.
  }
}

/** What a call that was asked for gives back; throws HAL_FAILED when it did not succeed. */
export function answerOf(verdict: Verdict, lines: readonly string[]): Json {
  if (verdict.means !== "success") throw new HalonError("HAL_FAILED", verdict.text);
  return { result: "success", lastLines: [...lines] };
}
