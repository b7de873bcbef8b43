import { failpoint } from "@halon/agency";
import {
  type Command,
  canonicalJson,
  type ErrorCode,
  events,
  HalonError,
  toErrorData,
} from "@halon/protocol";
import { type CoordinatorState, type Input, type Reply, step } from "./core/index.ts";
import { decodeRecord, encodeRecord, recover } from "./recover.ts";
import type { RulesInForce } from "./rule-files.ts";
import type { SnapshotListener, Snapshots } from "./snapshots.ts";
import type { Store } from "./store/port.ts";
import { traceStarts } from "./trace.ts";

/** Inputs of one record. */
const batchMax = 512;
/** Inputs that may wait; more are refused, and their sources send again. */
const queueMax = 20_000;
/** Of observations, which nobody would send again: there are a few of each node. */
const observedMax = 2 * queueMax;
/** Commands that got no answer are sent again. */
const resendMs = 2_000;
const timeoutMsMax = 2_147_483_647;

/** A record that is durable. */
export interface Committed {
  readonly index: number;
  /** Milliseconds since 1970. */
  readonly wallTime: number;
  /** Canonical JSON. */
  readonly text: string;
  /** The same as the store has it. */
  readonly data: Uint8Array;
}

/** Who hears of what the loop does; called in the order in which things became durable. */
export interface LoopListener extends SnapshotListener {
  commands(commands: readonly Command[]): void;
  record(record: Committed): void;
  /** The loop has ended for good: with HAL_NO_LEADER when the store is another's now. */
  fatal(error: unknown): void;
}

/** What a standby hands over when it begins to lead. */
export interface Takeover {
  readonly store: Store;
  /** As of the last record; it belongs to the loop from now on. */
  readonly state: CoordinatorState;
  readonly rules: RulesInForce;
  readonly snapshots: Snapshots;
  readonly listener: LoopListener;
}

interface Waiting {
  readonly input: Input;
  readonly reply: (reply: Reply) => void;
  /** What it is told when the store is lost before it is decided. */
  readonly whenLost: string;
}

/**
 * The decision loop: collects inputs while an append is under way, decides them as one record, and tells the
 * world only when that record is durable. It ends when the store is lost.
 */
export class DecisionLoop {
  readonly #store: Store;
  readonly #listener: LoopListener;
  readonly #rules: RulesInForce;
  readonly #snapshots: Snapshots;
  #state: CoordinatorState;
  #queue: Waiting[] = [];
  /** Those whose record is being appended. */
  #underWay: readonly Waiting[] = [];
  #isRunning = false;
  #phase: "running" | "closing" | "lost" = "running";
  #observed = 0;
  #afterCommit: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #resend: NodeJS.Timeout;
  readonly #clockBase: { readonly logTime: number; readonly at: number };
  readonly #stopWatching: () => void;

  private constructor({ store, state, rules, snapshots, listener }: Takeover) {
    this.#store = store;
    this.#state = state;
    this.#rules = rules;
    this.#snapshots = snapshots;
    this.#listener = listener;
    this.#clockBase = { logTime: state.logTime, at: performance.now() };
    this.#resend = setInterval(() => this.#resendStale(), resendMs);
    this.#armTimer();
    this.#stopWatching = store.onLost((reason) => this.#lose(lost(reason)));
  }

  /** Decides from now on. The store must be owned, and the state be that of its last record. */
  static async open(takeover: Takeover): Promise<DecisionLoop> {
    const failures = await takeover.rules.bring(takeover.state.graph);
    const loop = new DecisionLoop(takeover);
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
    this.#take(input, reply, queueMax);
  }

  /** Takes what this node itself has seen; `decided` is called when that is durable, or was refused. */
  observe(type: string, data: unknown, decided: () => void = () => undefined): void {
    const input: Input = {
      type: "numbered",
      source: "tracking",
      incarnation: this.#store.epoch,
      sequence: this.#observed + 1,
      event: { type, version: 1, data: JSON.parse(JSON.stringify(data)) },
    };
    // A number that was given away is not taken back: all that comes after a gap would be refused.
    if (this.#take(input, decided, observedMax)) this.#observed += 1;
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
    if (this.#isLost()) return;
    if (this.#isRunning) this.#afterCommit.push(read);
    else read();
  }

  /** Waits for the append and the snapshot under way, then ends. */
  async close(): Promise<void> {
    if (this.#phase === "running") this.#end("closing");
    while (this.#isRunning) await new Promise((resolve) => setImmediate(resolve));
    this.#refuseWaiting();
    await this.#snapshots.idle();
    await this.#store.close();
  }

  /** False: it was refused. */
  #take(input: Input, reply: (reply: Reply) => void, waitingMax: number): boolean {
    const isFull = this.#queue.length >= waitingMax;
    if (this.#phase === "running" && !isFull) {
      this.#queue.push({ input, reply, whenLost: notTaken });
      this.#schedule();
      return true;
    }
    const tooMany = `${waitingMax} events wait already; send it again later.`;
    const isOver = this.#phase !== "running";
    reply(isOver ? refusal("HAL_NO_LEADER", notTaken) : refusal("HAL_TOO_MANY", tooMany));
    return false;
  }

  #end(phase: "closing" | "lost"): void {
    this.#phase = phase;
    clearTimeout(this.#timer);
    clearInterval(this.#resend);
    this.#stopWatching();
  }

  /** Ends at once: from now on nothing is decided, answered as done, or sent. */
  #lose(error: unknown): void {
    if (this.#phase === "lost") return;
    this.#end("lost");
    for (const { reply } of this.#underWay) reply(refusal("HAL_NO_LEADER", notKnown));
    this.#underWay = [];
    this.#refuseWaiting();
    this.#afterCommit = [];
    this.#listener.fatal(error);
  }

  #refuseWaiting(): void {
    for (const { reply, whenLost } of this.#queue.splice(0))
      reply(refusal("HAL_NO_LEADER", whenLost));
  }

  #isLost(): boolean {
    return this.#phase === "lost";
  }

  #schedule(): void {
    if (this.#isRunning || this.#phase !== "running") return;
    this.#isRunning = true;
    // One turn of the event loop: what else has arrived by then joins the record.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    try {
      while (this.#phase === "running" && (this.#queue.length > 0 || this.#isTimerDue()))
        await this.#decideBatch();
    } catch (error) {
      this.#lose(error);
    } finally {
      this.#isRunning = false;
    }
    if (this.#isLost()) return;
    for (const read of this.#afterCommit.splice(0)) read();
    this.#armTimer();
    if (this.#queue.length > 0) this.#schedule();
  }

  async #decideBatch(): Promise<void> {
    const batch = this.#queue.splice(0, batchMax);
    this.#underWay = batch;
    const stamp = { epoch: this.#store.epoch, logTime: this.#logTime(), wallTime: Date.now() };
    const inputs = batch.map(({ input }) => input);
    const { record, replies, commands } = step(this.#state, this.#rules.rules, inputs, stamp);
    traceStarts("decided", commands);
    if (record !== undefined) {
      const text = canonicalJson(record);
      const data = encodeRecord(text);
      const isThere = await this.#append(data, record.index);
      if (this.#isLost()) return;
      if (!isThere) {
        this.#queue.unshift(...batch.map((waiting) => ({ ...waiting, whenLost: notKnown })));
        this.#underWay = [];
        return;
      }
      failpoint("coordinator.after-commit");
      traceStarts("durable", commands);
      if (commands.length > 0) this.#listener.commands(commands);
      this.#listener.record({ index: record.index, wallTime: record.wallTime, text, data });
      this.#snapshots.count(data.length);
      this.#snapshots.saveIfDue(this.#state);
    }
    this.#underWay = [];
    for (const [position, reply] of replies.entries()) batch[position]?.reply(reply);
    for (const read of this.#afterCommit.splice(0)) read();
    await this.#reloadRules();
  }

  /**
   * Whether the record is in the log. False: it is not, and the state was rebuilt from what is there; throws when
   * the store is another's or cannot be read.
   */
  async #append(data: Uint8Array, index: number): Promise<boolean> {
    try {
      const appended = await this.#store.append(data, { index, epoch: this.#store.epoch });
      if (appended.type === "committed") return true;
      const message = `The store is another's now (${JSON.stringify(appended)}).`;
      throw new HalonError("HAL_NO_LEADER", message);
    } catch (error) {
      if (this.#isLost()) return false;
      if (toErrorData(error).code !== "HAL_STORE_FAILED") throw error;
      this.#listener.warning(
        `the outcome of record ${index} is unknown: ${toErrorData(error).message}`,
      );
      return this.#resolveOutcome(data, index, error);
    }
  }

  async #resolveOutcome(bytes: Uint8Array, index: number, cause: unknown): Promise<boolean> {
    for await (const { data } of this.#store.read(index)) {
      if (Buffer.compare(data, bytes) === 0) return true;
      const found = canonicalJson(decodeRecord(data)).slice(0, 200);
      throw new HalonError("HAL_NO_LEADER", `Record ${index} is another's: ${found}`, { cause });
    }
    const { state } = await recover(this.#store);
    this.#state = state;
    return false;
  }

  async #reloadRules(): Promise<void> {
    if (!this.#rules.isBehind(this.#state.graph)) return;
    const failures = await this.#rules.bring(this.#state.graph);
    for (const failure of failures) this.observe(events.RuleFileFailed.type, failure);
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
    if (this.#phase !== "running") return;
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

const notTaken = "The coordinator of this node has ended; the event took no effect. Try again.";
const notKnown =
  "The coordinator lost the lead while the event was being written: whether it took effect is not known; ask again under the same id.";

/** Why a coordinator ends whose store is another's now. */
export function lost(reason: string): HalonError {
  return new HalonError("HAL_NO_LEADER", `This node does not lead any more: ${reason}.`);
}

function refusal(code: ErrorCode, message: string): Reply {
  return { type: "refused", error: { code, message } };
}
