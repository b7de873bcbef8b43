import type { GraphView } from "@halon/protocol";
import { indexRules } from "@halon/rules";
import {
  type Interruption,
  type RuleFileFailure,
  type RuleSet,
  ruleFilesKey,
} from "./core/index.ts";
import { runWithin } from "./realm/deadline.ts";
import { type Loaded, loadRuleSet, type RuleFileHost } from "./realm/load.ts";

/** How long a leader waits for the blobs of rule files, which a majority has, before it goes on without them. */
const blobWaitMs = 10_000;
const blobLookMs = 100;
/** Name of the rules that are Halon's own: they are not suspected. */
const builtIn = "builtin";

/** The rules of the cluster as this coordinator has loaded them. */
export class RulesInForce {
  readonly #host: RuleFileHost;
  readonly #tellRunning: RuleFileHost["running"];
  readonly #waitMs: number;
  #key: string | undefined;
  #loaded: Loaded = {
    rules: { index: indexRules([]), declared: new Map() },
    scripts: new Map(),
    failures: [],
    missing: [],
  };
  /** Whose code runs, and since when in ms. */
  #running: string | null = null;
  #since = 0;
  #turn: Promise<void> = Promise.resolve();
  #isWaiting = false;
  #isLoading = false;
  /** What was asked for last: the leader looks often, and asks once. */
  #toldMissing = "";

  constructor(host: RuleFileHost, waitMs = blobWaitMs) {
    this.#host = { ...host, running: (code) => this.#runs(code) };
    this.#tellRunning = host.running;
    this.#waitMs = waitMs;
  }

  /** Of the last load. */
  get rules(): RuleSet {
    return this.#loaded.rules;
  }

  /** While code of rule files may run, and would be blamed for whatever holds the thread. */
  get isLoading(): boolean {
    return this.#isLoading;
  }

  /** Resolves when nothing is being loaded. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  /** Whether the graph names other files than were loaded, or some were not there. */
  isBehind(graph: GraphView): boolean {
    return this.#loaded.missing.length > 0 || ruleFilesKey(graph) !== this.#key;
  }

  /** For a standby: begins to load what is new, so that a takeover finds it loaded. */
  prepare(graph: GraphView): void {
    if (this.#isWaiting || ruleFilesKey(graph) === this.#key) return;
    this.#isWaiting = true;
    this.#inTurn(async () => {
      this.#isWaiting = false;
      await this.#load(graph);
    }).catch(() => undefined);
  }

  /**
   * For a leader: loads what is new, and tells what failed. Waits for blobs that are missing here, and counts those that did
   * not come as failures: a file must not be out of force without a word in the log.
   */
  async bring(graph: GraphView): Promise<readonly RuleFileFailure[]> {
    let failures: readonly RuleFileFailure[] = [];
    await this.#inTurn(async () => {
      const until = performance.now() + this.#waitMs;
      while (this.isBehind(graph)) {
        await this.#load(graph);
        if (this.#loaded.missing.length === 0 || performance.now() >= until) break;
        await new Promise((resolve) => setTimeout(resolve, blobLookMs));
      }
      failures = [...this.#loaded.failures, ...this.#loaded.missing];
      this.#loaded = { ...this.#loaded, failures: [], missing: [] };
    });
    return failures;
  }

  /**
   * Runs a step of decisions: with a deadline while code of rule files takes part in it.
   *
   * A step that was ended is given to `interrupted`; what it has changed is half done.
   */
  attempt<T>(deadlineMs: number, step: () => T, interrupted: (interruption: Interruption) => T): T {
    if (this.#loaded.scripts.size === 0) return step();
    const before = process.cpuUsage();
    const ended = runWithin(deadlineMs, step);
    if (ended !== null) return ended.value;
    const { user, system } = process.cpuUsage(before);
    const code = this.#running;
    const ranMs = code === null ? 0 : performance.now() - this.#since;
    this.#runs(null);
    return interrupted({ code, ranMs, deadlineMs, cpuMs: (user + system) / 1_000 });
  }

  #runs(code: string | null): void {
    const file = code === builtIn ? null : code;
    if (file !== null) this.#since = performance.now();
    this.#running = file;
    this.#tellRunning(file);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #load(graph: GraphView): Promise<void> {
    this.#key = ruleFilesKey(graph);
    this.#isLoading = true;
    try {
      this.#loaded = await loadRuleSet(graph, this.#host, this.#loaded);
    } catch (error) {
      // What is loaded is that of another graph: whoever leads with it must see that it is behind.
      this.#key = undefined;
      throw error;
    } finally {
      this.#isLoading = false;
    }
    const missing = this.#loaded.missing.map(({ blob }) => blob);
    const told = missing.join(",");
    if (missing.length > 0 && told !== this.#toldMissing) this.#host.missing(missing);
    this.#toldMissing = told;
  }
}
