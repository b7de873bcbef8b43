import { canonicalJson, type ErrorData, type Json } from "@halon/protocol";
import type { AppendResult, LoopDeadline, LoopEffect } from "./decision-effects.ts";
import { FileHealth } from "./file-health.ts";
import type { Input, Reply } from "./intake.ts";
import { blame, type Interruption, type Pace, paceAfter, stepDeadlineMs } from "./interruption.ts";
import { hasPutOff } from "./kept-events.ts";
import { noLeader, notKnown, notTaken, refusal, replyTo } from "./loop-replies.ts";
import type { Appending, LoopStart, Reading, Waiting, Work } from "./loop-work.ts";
import { failureInputs, type RuleFileFailure, ruleFilesKey, withoutCode } from "./rule-files.ts";
import { type CoordinatorState, dueCount, firstDue, markDue } from "./state.ts";
import { type RuleSet, step } from "./step.ts";

/** Inputs of one record. */
const batchMax = 512;
/** Inputs that may wait; more are refused, and their sources send again. */
const queueMax = 20_000;
/** Of observations, which nobody would send again: there are a few of each node. */
const observedMax = 2 * queueMax;
/** Commands that got no answer are sent again. */
const resendMs = 2_000;
const waitMsMax = 2_147_483_647;

const idle: Work = { type: "idle" };
const decideNow: LoopEffect = { type: "decide", when: "now" };

/**
 * Decides what is decided together and what is told when: collects inputs while an append is under way, decides them as
 * one record, and tells the world only when that record is durable. It ends when the store is lost.
 *
 * Owned by one driver, which carries out the effects of each input before it gives the next one, but for inputs that come from
 * whom an effect told something. Equal inputs give equal effects.
 */
export class DecisionCore {
  readonly #epoch: number;
  #state: CoordinatorState;
  #rules: RuleSet;
  #rulesKey: string;
  #queue: Waiting[] = [];
  /** Those that are decided, or being decided, and not answered. */
  #underWay: readonly Waiting[] = [];
  /** Decided beside them, as it was due; 2 stands for several. */
  #dueBeside = 0;
  #work: Work = idle;
  #phase: "running" | "closing" | "lost" = "running";
  #isClosing = false;
  #observed = 0;
  /** Rule files that cannot take part, of which no record tells yet. */
  readonly #failures: RuleFileFailure[] = [];
  #health: FileHealth;
  #pace: Pace = { inputs: batchMax, deadlineMs: stepDeadlineMs };
  #readings: Reading[] = [];
  readonly #clockBase: { readonly logTime: number; readonly at: number };

  constructor({ epoch, state, rules, now }: LoopStart) {
    this.#epoch = epoch;
    this.#state = state;
    this.#rules = rules;
    this.#rulesKey = ruleFilesKey(state.graph);
    this.#health = new FileHealth(state);
    this.#clockBase = { logTime: state.logTime, at: now };
  }

  /** The state as of the last decision; it belongs to the loop. */
  get state(): CoordinatorState {
    return this.#state;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** How long `decide` may take while rule files are in force; what is longer is told by `interrupted`. */
  get deadlineMs(): number {
    return this.#pace.deadlineMs;
  }

  /** First of all inputs: the rule files that could not be loaded for the state that it begins with. */
  begin(failures: readonly RuleFileFailure[], now: number): readonly LoopEffect[] {
    const armed: readonly LoopEffect[] = [armResend, this.#armTimer(now)];
    this.#failures.push(...failures);
    return [...armed, ...(failures.length > 0 ? this.#schedule() : [])];
  }

  /** Takes an input. Its one `reply` comes when its record is durable, or at once when it is refused. */
  submit(input: Input, ref: number): readonly LoopEffect[] {
    return this.#take({ input, ref, whenLost: notTaken }, queueMax).effects;
  }

  /** Takes what this node itself has seen; `reply` under `ref` when that is durable, or was refused. */
  observe(type: string, data: unknown, ref: number | null): readonly LoopEffect[] {
    const input: Input = {
      type: "numbered",
      source: "tracking",
      incarnation: this.#epoch,
      sequence: this.#observed + 1,
      event: { type, version: 1, data: JSON.parse(JSON.stringify(data)) as Json },
    };
    const { isTaken, effects } = this.#take({ input, ref, whenLost: notTaken }, observedMax);
    // A number that was given away is not taken back: all that comes after a gap would be refused.
    if (isTaken) this.#observed += 1;
    return effects;
  }

  /**
   * Sends everything that the node has not answered once more, under this epoch: it is this coordinator that wants it
   * now, and the node may have taken one of its own commands before.
   */
  resend(node: string): readonly LoopEffect[] {
    return this.#read({ type: "resend", node });
  }

  /** Asks for `durable` when all that the state holds is durable, perhaps now: never between decision and commit. */
  whenDurable(ref: number): readonly LoopEffect[] {
    return this.#read({ type: "ref", ref });
  }

  /** Called as the effect `decide` asks. `wallTime` in ms since 1970. */
  decide(now: number, wallTime: number): readonly LoopEffect[] {
    if (this.#work.type !== "turn" && this.#work.type !== "telling") {
      return this.#unexpected("decide");
    }
    this.#work = idle;
    if (this.#phase !== "running") return this.#end();
    if (this.#hasNothing(now)) return [...this.#readAll(), this.#armTimer(now)];
    this.#underWay = this.#queue.splice(0, this.#pace.inputs);
    const stamp = { epoch: this.#epoch, logTime: this.#logTime(now), wallTime };
    const inputs = this.#underWay.map(({ input }) => input);
    const failures = this.#failures.length;
    const options = {
      first: failureInputs(this.#state, this.#epoch, this.#failures),
      health: this.#health,
      marksTime: markDue(this.#state) <= stamp.logTime,
    };
    const isPutOff = hasPutOff(this.#state, this.#rules.index);
    this.#dueBeside = isPutOff ? 2 : dueCount(this.#state, stamp.logTime);
    this.#work = { type: "step" };
    const { record, replies, commands } = step(this.#state, this.#rules, inputs, stamp, options);
    this.#pace = paceAfter(this.#pace, "done", batchMax);
    if (record === undefined) return this.#answer(replies);
    const text = canonicalJson(record);
    this.#work = { type: "append", appending: { record, text, replies, commands, failures } };
    return [{ type: "append", index: record.index, text, commands }];
  }

  /**
   * `decide` was ended by its deadline. The state is what the store has, without what was being decided; a rule file that is to
   * blame takes no part any more, which the next record says before it decides the same inputs.
   */
  interrupted(interruption: Interruption): readonly LoopEffect[] {
    if (this.#phase === "lost") return this.#end();
    const { code, ranMs, deadlineMs } = interruption;
    const blamed = blame(interruption, this.#underWay.length + this.#dueBeside);
    const version = blamed === null ? undefined : this.#rules.versions?.get(blamed);
    this.#pace = paceAfter(this.#pace, version === undefined ? "long" : "blamed", batchMax);
    const during = code === null ? "" : `, during ${code}`;
    const text = `a step of ${this.#underWay.length} events was ended after ${deadlineMs} ms${during}`;
    if (version !== undefined && blamed !== null) {
      const reason = `its code ran ${Math.round(ranMs)} ms without an end`;
      this.#failures.push({ ...version, reason });
      this.#rules = { ...this.#rules, index: withoutCode(this.#rules.index, blamed) };
    }
    this.#work = { type: "recover" };
    return [{ type: "warning", text }, { type: "recover" }];
  }

  /** How the append ended. */
  appended(result: AppendResult): readonly LoopEffect[] {
    if (this.#work.type !== "append") return this.#unexpected("appended");
    const { appending } = this.#work;
    if (this.#phase === "lost") return this.#end();
    if (result.type === "committed") return this.#commit(appending);
    return this.#fail(noLeader(`The store is another's now (${JSON.stringify(result)}).`));
  }

  /** Canonical JSON of the record that `readRecord` asked for; null when there is none. */
  recordRead(text: string | null): readonly LoopEffect[] {
    if (this.#work.type !== "read") return this.#unexpected("recordRead");
    const { appending } = this.#work;
    if (this.#phase === "lost") return this.#end();
    if (text === null) {
      this.#underWay = this.#underWay.map((waiting) => ({ ...waiting, whenLost: notKnown }));
      this.#work = { type: "recover" };
      return [{ type: "recover" }];
    }
    if (text === appending.text) return this.#commit(appending);
    const { index } = appending.record;
    return this.#fail(noLeader(`Record ${index} is another's: ${text.slice(0, 200)}`));
  }

  /** The state as of the last record of the store; it belongs to the loop from now on. */
  recovered(state: CoordinatorState): readonly LoopEffect[] {
    if (this.#work.type !== "recover") return this.#unexpected("recovered");
    if (this.#phase === "lost") return this.#end();
    this.#state = state;
    this.#health = new FileHealth(state);
    this.#queue.unshift(...this.#underWay);
    this.#underWay = [];
    this.#work = { type: "telling" };
    return [decideNow];
  }

  /** The rules that the state names now, and which of its files could not be loaded. */
  rulesBrought(rules: RuleSet, failures: readonly RuleFileFailure[]): readonly LoopEffect[] {
    if (this.#work.type !== "rules") return this.#unexpected("rulesBrought");
    if (this.#phase === "lost") return this.#end();
    this.#rules = rules;
    this.#rulesKey = ruleFilesKey(this.#state.graph);
    this.#health.renew();
    this.#failures.push(...failures);
    this.#work = { type: "telling" };
    return [decideNow];
  }

  /**
   * What was under way threw, or the driver itself: HAL_STORE_FAILED of an append says that its outcome is unknown, all
   * else ends the loop.
   */
  failed(error: ErrorData): readonly LoopEffect[] {
    if (this.#phase === "lost") return this.#end();
    if (this.#work.type !== "append" || error.code !== "HAL_STORE_FAILED") return this.#fail(error);
    const { appending } = this.#work;
    const { index } = appending.record;
    this.#work = { type: "read", appending };
    return [
      { type: "warning", text: `the outcome of record ${index} is unknown: ${error.message}` },
      { type: "readRecord", index },
    ];
  }

  /** The store is another's: from now on nothing is decided, answered as done, or sent. What is under way still ends. */
  lose(error: ErrorData): readonly LoopEffect[] {
    if (this.#phase === "lost") return [];
    this.#phase = "lost";
    this.#readings = [];
    const underWay = this.#underWay;
    this.#underWay = [];
    return [
      ...disarmAll,
      ...underWay.flatMap(({ ref }) => replyTo(ref, refusal("HAL_NO_LEADER", notKnown))),
      ...this.#refuseWaiting(),
      { type: "lost", error },
    ];
  }

  /** What `arm` asked for is due. */
  due(key: LoopDeadline): readonly LoopEffect[] {
    if (this.#phase !== "running") return [];
    return key === "timers" ? this.#schedule() : this.#resendStale();
  }

  /** Nothing more is decided. `closed` comes when what is under way has ended. */
  close(): readonly LoopEffect[] {
    if (this.#isClosing) return [];
    this.#isClosing = true;
    if (this.#phase === "running") this.#phase = "closing";
    return [...disarmAll, ...(this.#work.type === "idle" ? this.#end() : [])];
  }

  #take(
    waiting: Waiting,
    waitingMax: number,
  ): { readonly isTaken: boolean; readonly effects: readonly LoopEffect[] } {
    if (this.#phase !== "running") {
      return { isTaken: false, effects: replyTo(waiting.ref, refusal("HAL_NO_LEADER", notTaken)) };
    }
    if (this.#queue.length >= waitingMax) {
      const tooMany = `${waitingMax} events wait already; send it again later.`;
      return { isTaken: false, effects: replyTo(waiting.ref, refusal("HAL_TOO_MANY", tooMany)) };
    }
    this.#queue.push(waiting);
    return { isTaken: true, effects: this.#schedule() };
  }

  #schedule(): readonly LoopEffect[] {
    if (this.#work.type !== "idle" || this.#phase !== "running") return [];
    this.#work = { type: "turn" };
    return [{ type: "decide", when: "nextTurn" }];
  }

  #commit({ record, text, replies, commands, failures }: Appending): readonly LoopEffect[] {
    this.#failures.splice(0, failures);
    for (const { file: code, reason } of this.#health.take()) {
      const version = this.#rules.versions?.get(code);
      if (version !== undefined) this.#failures.push({ ...version, reason });
    }
    const sent: readonly LoopEffect[] = commands.length > 0 ? [{ type: "send", commands }] : [];
    return [...sent, { type: "committed", record, text }, ...this.#answer(replies)];
  }

  /** The state is durable; after the answers it is the turn of those who wait to read it, then of the next decision. */
  #answer(replies: readonly Reply[]): readonly LoopEffect[] {
    const answered = this.#underWay.flatMap(({ ref }, position) => replyTo(ref, replies[position]));
    this.#underWay = [];
    const read = this.#readAll();
    const isBehind = ruleFilesKey(this.#state.graph) !== this.#rulesKey;
    this.#work = { type: isBehind ? "rules" : "telling" };
    return [...answered, ...read, isBehind ? { type: "bringRules" } : decideNow];
  }

  #read(reading: Reading): readonly LoopEffect[] {
    if (this.#phase === "lost") return [];
    switch (this.#work.type) {
      case "idle":
      case "telling":
      case "rules":
        return this.#effectsOf(reading);
      case "turn":
      case "step":
      case "append":
      case "read":
      case "recover":
        if (!this.#isAsked(reading)) this.#readings.push(reading);
        return [];
    }
  }

  /** A node that waits for its commands gets them once, however long the append takes. */
  #isAsked(reading: Reading): boolean {
    if (reading.type === "ref") return false;
    return this.#readings.some((other) => other.type === "resend" && other.node === reading.node);
  }

  #readAll(): readonly LoopEffect[] {
    return this.#readings.splice(0).flatMap((reading) => this.#effectsOf(reading));
  }

  #effectsOf(reading: Reading): readonly LoopEffect[] {
    if (reading.type === "ref") return [{ type: "durable", ref: reading.ref }];
    const commands = this.#state.outbox
      .of(reading.node)
      .map((command) => ({ ...command, epoch: this.#epoch }));
    return commands.length > 0 ? [{ type: "send", commands }] : [];
  }

  #resendStale(): readonly LoopEffect[] {
    const { graph, outbox } = this.#state;
    const up = outbox.nodes().filter((node) => graph.get("Node", node)?.attributes.state === "up");
    return [...up.flatMap((node) => this.resend(node)), armResend];
  }

  /** What was under way has ended the loop. */
  #fail(error: ErrorData): readonly LoopEffect[] {
    return [...this.lose(error), ...this.#end()];
  }

  /** Nothing is under way any more, and nothing more is decided. */
  #end(): readonly LoopEffect[] {
    this.#work = idle;
    const closed: readonly LoopEffect[] = this.#isClosing ? [{ type: "closed" }] : [];
    return [...this.#readAll(), ...this.#refuseWaiting(), ...closed];
  }

  #refuseWaiting(): readonly LoopEffect[] {
    return this.#queue
      .splice(0)
      .flatMap(({ ref, whenLost }) => replyTo(ref, refusal("HAL_NO_LEADER", whenLost)));
  }

  /** What comes too late for a loop that has ended is nothing; else the driver is wrong. */
  #unexpected(input: string): readonly LoopEffect[] {
    if (this.#phase === "lost") return [];
    throw new Error(`the decision loop got ${input} while it waited for: ${this.#work.type}`);
  }

  #logTime(now: number): number {
    return this.#clockBase.logTime + Math.floor(now - this.#clockBase.at);
  }

  #hasNothing(now: number): boolean {
    if (this.#queue.length > 0 || this.#failures.length > 0) return false;
    const logTime = this.#logTime(now);
    if (firstDue(this.#state) <= logTime || markDue(this.#state) <= logTime) return false;
    return !hasPutOff(this.#state, this.#rules.index);
  }

  #armTimer(now: number): LoopEffect {
    const first = Math.min(firstDue(this.#state), markDue(this.#state));
    if (first === Number.POSITIVE_INFINITY) return { type: "disarm", key: "timers" };
    const inMs = Math.min(Math.max(1, first - this.#logTime(now)), waitMsMax);
    return { type: "arm", key: "timers", inMs };
  }
}

const armResend: LoopEffect = { type: "arm", key: "resend", inMs: resendMs };
const disarmAll: readonly LoopEffect[] = [
  { type: "disarm", key: "timers" },
  { type: "disarm", key: "resend" },
];
