import { failpoint } from "@halon/agency";
import { type Command, canonicalJson, events, toErrorData } from "@halon/protocol";
import {
  type CoordinatorState,
  encodeSnapshot,
  type Input,
  type Reply,
  type RuleSet,
  step,
} from "./core/index.ts";
import { chunksOf, decodeRecord, encodeRecord, recover } from "./recover.ts";
import { loadRuleSet, type RuleFileHost, ruleFilesKey } from "./rule-files.ts";
import type { Store } from "./store/port.ts";
import { traceStarts } from "./trace.ts";

/** Inputs of one record. */
const batchMax = 512;
/** Inputs that may wait; more are refused, and their sources send again. */
const queueMax = 20_000;
/** Records between two snapshots. */
const snapshotEveryRecords = 5_000;
/** Commands that got no answer are sent again. */
const resendMs = 2_000;
const timeoutMsMax = 2_147_483_647;

/** Who hears of what the loop does; called in the order in which things became durable. */
export interface LoopListener {
  commands(commands: readonly Command[]): void;
  record(text: string, wallTime: number): void;
  warning(text: string): void;
  /** The records up to now are about to leave the store; resolves when history no longer needs them there. */
  beforeSnapshot(): Promise<void>;
  /** The loop has ended for good. */
  fatal(error: unknown): void;
}

interface Waiting {
  readonly input: Input;
  readonly reply: (reply: Reply) => void;
}

/**
 * The decision loop: collects inputs while an append is under way, decides them as one record, and tells the
 * world only when that record is durable.
 */
export class DecisionLoop {
  readonly #store: Store;
  readonly #listener: LoopListener;
  readonly #ruleFiles: RuleFileHost;
  #state: CoordinatorState;
  #rules: RuleSet;
  #rulesKey: string;
  #queue: Waiting[] = [];
  #isRunning = false;
  #isEnded = false;
  #observed = 0;
  #afterCommit: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #resend: NodeJS.Timeout;
  #clockBase: { readonly logTime: number; readonly at: number };
  #snapshotIndex: number;

  private constructor(
    store: Store,
    state: CoordinatorState,
    rules: RuleSet,
    options: { readonly ruleFiles: RuleFileHost; readonly listener: LoopListener },
  ) {
    this.#store = store;
    this.#state = state;
    this.#rules = rules;
    this.#rulesKey = ruleFilesKey(state.graph);
    this.#ruleFiles = options.ruleFiles;
    this.#listener = options.listener;
    this.#snapshotIndex = 0;
    this.#clockBase = { logTime: state.logTime, at: performance.now() };
    this.#resend = setInterval(() => this.#resendStale(), resendMs);
    this.#armTimer();
  }

  static async open(
    store: Store,
    options: { readonly ruleFiles: RuleFileHost; readonly listener: LoopListener },
  ): Promise<DecisionLoop> {
    await store.lead();
    const state = await recover(store);
    const { rules, failures } = await loadRuleSet(state.graph, options.ruleFiles);
    const loop = new DecisionLoop(store, state, rules, options);
    // Counted from the last snapshot and not from this start: else one that starts often never saves any.
    loop.#snapshotIndex = (await store.loadSnapshot())?.index ?? 0;
    for (const failure of failures) loop.observe(events.RuleFileFailed.type, failure);
    return loop;
  }

  /** The state as of the last decision; it belongs to the loop. */
  get state(): CoordinatorState {
    return this.#state;
  }

  get epoch(): number {
    return this.#store.epoch;
  }

  /** Takes an input; `reply` is called when its record is durable, or at once when it is refused. */
  submit(input: Input, reply: (reply: Reply) => void): void {
    if (this.#isEnded || this.#queue.length >= queueMax) {
      const message = this.#isEnded
        ? "The coordinator has ended; try again."
        : `${queueMax} events wait already; send it again later.`;
      reply({
        type: "refused",
        error: { code: this.#isEnded ? "HAL_NO_LEADER" : "HAL_TOO_MANY", message },
      });
      return;
    }
    this.#queue.push({ input, reply });
    this.#schedule();
  }

  /** Takes what this node itself has seen. */
  observe(type: string, data: unknown): void {
    this.#observed += 1;
    this.submit(
      {
        type: "numbered",
        source: "tracking",
        incarnation: this.#store.epoch,
        sequence: this.#observed,
        event: { type, version: 1, data: JSON.parse(JSON.stringify(data)) },
      },
      () => undefined,
    );
  }

  /**
   * Sends everything that the node has not answered once more, under this epoch: it is this coordinator that wants it
   * now, and the node may have taken one of its own commands before.
   */
  resend(node: string): void {
    this.whenDurable(() => {
      const { epoch } = this.#store;
      const commands = this.#state.outbox.of(node).map((command) => ({ ...command, epoch }));
      if (commands.length > 0) this.#listener.commands(commands);
    });
  }

  /** Runs `read` when all that the state holds is durable: between two appends. */
  whenDurable(read: () => void): void {
    if (this.#isRunning) this.#afterCommit.push(read);
    else read();
  }

  /** Waits for the append under way, then ends. */
  async close(): Promise<void> {
    this.#end();
    while (this.#isRunning) await new Promise((resolve) => setImmediate(resolve));
    await this.#store.close();
  }

  #end(): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    clearInterval(this.#resend);
  }

  #schedule(): void {
    if (this.#isRunning || this.#isEnded) return;
    this.#isRunning = true;
    // One turn of the event loop: what else has arrived by then joins the record.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isEnded && (this.#queue.length > 0 || this.#isTimerDue()))
        await this.#decideBatch();
    } catch (error) {
      this.#end();
      for (const { reply } of this.#queue.splice(0))
        reply({ type: "refused", error: toErrorData(error) });
      this.#listener.fatal(error);
    } finally {
      this.#isRunning = false;
    }
    for (const read of this.#afterCommit.splice(0)) read();
    this.#armTimer();
    if (this.#queue.length > 0) this.#schedule();
  }

  async #decideBatch(): Promise<void> {
    const batch = this.#queue.splice(0, batchMax);
    const stamp = { epoch: this.#store.epoch, logTime: this.#logTime(), wallTime: Date.now() };
    const inputs = batch.map(({ input }) => input);
    const { record, replies, commands } = step(this.#state, this.#rules, inputs, stamp);
    traceStarts("decided", commands);
    if (record !== undefined) {
      const text = canonicalJson(record);
      if (!(await this.#append(text, record.index))) {
        this.#queue.unshift(...batch);
        return;
      }
      failpoint("coordinator.after-commit");
      traceStarts("durable", commands);
      if (commands.length > 0) this.#listener.commands(commands);
      this.#listener.record(text, record.wallTime);
    }
    for (const [position, reply] of replies.entries()) batch[position]?.reply(reply);
    for (const read of this.#afterCommit.splice(0)) read();
    await this.#reloadRules();
    await this.#saveSnapshot();
  }

  /**
   * Whether the record is in the log. False: it is not, and the state was rebuilt from what is there; throws when
   * the store is another's or cannot be read.
   */
  async #append(text: string, index: number): Promise<boolean> {
    const data = encodeRecord(text);
    try {
      const appended = await this.#store.append(data, { index, epoch: this.#store.epoch });
      if (appended.type === "committed") return true;
      throw new Error(`the store is fenced: ${JSON.stringify(appended)}`);
    } catch (error) {
      if (toErrorData(error).code !== "HAL_STORE_FAILED") throw error;
      this.#listener.warning(
        `the outcome of record ${index} is unknown: ${toErrorData(error).message}`,
      );
      return this.#resolveOutcome(text, index, error);
    }
  }

  async #resolveOutcome(text: string, index: number, cause: unknown): Promise<boolean> {
    for await (const { data } of this.#store.read(index)) {
      if (new TextDecoder().decode(data) === text) return true;
      throw new Error(
        `record ${index} is another's: ${canonicalJson(decodeRecord(data)).slice(0, 200)}`,
        { cause },
      );
    }
    this.#state = await recover(this.#store);
    return false;
  }

  async #reloadRules(): Promise<void> {
    const key = ruleFilesKey(this.#state.graph);
    if (key === this.#rulesKey) return;
    this.#rulesKey = key;
    const { rules, failures } = await loadRuleSet(this.#state.graph, this.#ruleFiles);
    this.#rules = rules;
    for (const failure of failures) this.observe(events.RuleFileFailed.type, failure);
  }

  async #saveSnapshot(): Promise<void> {
    if (this.#state.index - this.#snapshotIndex < snapshotEveryRecords) return;
    this.#snapshotIndex = this.#state.index;
    await this.#listener.beforeSnapshot();
    await this.#store.saveSnapshot(this.#state.index, chunksOf(encodeSnapshot(this.#state)));
  }

  #logTime(): number {
    return this.#clockBase.logTime + Math.floor(performance.now() - this.#clockBase.at);
  }

  #isTimerDue(): boolean {
    const first = this.#state.timers.first();
    return first !== undefined && first.due <= this.#logTime();
  }

  #armTimer(): void {
    clearTimeout(this.#timer);
    if (this.#isEnded) return;
    const first = this.#state.timers.first();
    if (first === undefined) return;
    const waitMs = Math.min(Math.max(1, first.due - this.#logTime()), timeoutMsMax);
    this.#timer = setTimeout(() => this.#schedule(), waitMs);
  }

  #resendStale(): void {
    for (const node of this.#state.outbox.nodes()) {
      if (this.#state.graph.get("Node", node)?.attributes.state === "up") this.resend(node);
    }
  }
}
