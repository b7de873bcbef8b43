import { failpoint } from "@halon/agency";
import { type Command, fromErrorData, HalonError, toErrorData } from "@halon/protocol";
import {
  type CoordinatorState,
  DecisionCore,
  type Input,
  type LoopDeadline,
  type LoopEffect,
  type Reply,
} from "./core/index.ts";
import { encodeRecord, recordText, recover } from "./recover.ts";
import type { RulesInForce } from "./rule-files.ts";
import type { SnapshotListener, Snapshots } from "./snapshots.ts";
import type { Store } from "./store/port.ts";
import { traceStarts } from "./trace.ts";

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

/**
 * The decision loop: collects inputs while an append is under way, decides them as one record, and tells the
 * world only when that record is durable. It ends when the store is lost.
 */
export class DecisionLoop {
  readonly #core: DecisionCore;
  readonly #store: Store;
  readonly #listener: LoopListener;
  readonly #rules: RulesInForce;
  readonly #snapshots: Snapshots;
  readonly #stopWatching: () => void;
  readonly #timers = new Map<LoopDeadline, NodeJS.Timeout>();
  readonly #replies = new Map<number, (reply: Reply) => void>();
  readonly #reads = new Map<number, () => void>();
  #lastRef = 0;
  /** Bytes of the record that is being appended. */
  #data: Uint8Array = new Uint8Array();
  #tellClosed: () => void = () => undefined;
  readonly #closed = new Promise<void>((resolve) => {
    this.#tellClosed = resolve;
  });

  private constructor({ store, state, rules, snapshots, listener }: Takeover) {
    const now = performance.now();
    this.#core = new DecisionCore({ epoch: store.epoch, state, rules: rules.rules, now });
    this.#store = store;
    this.#rules = rules;
    this.#snapshots = snapshots;
    this.#listener = listener;
    this.#stopWatching = store.onLost((reason) =>
      this.#take(() => this.#core.lose(toErrorData(lost(reason)))),
    );
  }

  /** Decides from now on. The store must be owned, and the state be that of its last record. */
  static async open(takeover: Takeover): Promise<DecisionLoop> {
    const failures = await takeover.rules.bring(takeover.state.graph);
    const loop = new DecisionLoop(takeover);
    loop.#take(() => loop.#core.begin(failures, performance.now()));
    return loop;
  }

  /** The state as of the last decision; it belongs to the loop. */
  get state(): CoordinatorState {
    return this.#core.state;
  }

  get epoch(): number {
    return this.#core.epoch;
  }

  /** Takes an input; `reply` is called when its record is durable, or at once when it is refused. */
  submit(input: Input, reply: (reply: Reply) => void): void {
    const ref = this.#number(this.#replies, reply);
    this.#take(() => this.#core.submit(input, ref));
  }

  /** Takes what this node itself has seen; `decided` is called when that is durable, or was refused. */
  observe(type: string, data: unknown, decided?: () => void): void {
    const ref = decided === undefined ? null : this.#number(this.#replies, decided);
    this.#take(() => this.#core.observe(type, data, ref));
  }

  /** Sends everything that the node has not answered once more, under this epoch. */
  resend(node: string): void {
    this.#take(() => this.#core.resend(node));
  }

  /** Runs `read` when all that the state holds is durable: between two appends. */
  whenDurable(read: () => void): void {
    const ref = this.#number(this.#reads, read);
    this.#take(() => this.#core.whenDurable(ref));
  }

  /** Waits for the append and the snapshot under way, then ends. */
  async close(): Promise<void> {
    this.#stopWatching();
    this.#take(() => this.#core.close());
    await this.#closed;
    await this.#snapshots.idle();
    await this.#store.close();
  }

  #number<Listener>(listeners: Map<number, Listener>, listener: Listener): number {
    this.#lastRef += 1;
    listeners.set(this.#lastRef, listener);
    return this.#lastRef;
  }

  #take(input: () => readonly LoopEffect[]): void {
    try {
      for (const effect of input()) this.#carryOut(effect);
    } catch (error) {
      for (const effect of this.#core.failed(toErrorData(error))) this.#carryOut(effect);
    }
  }

  #carryOut(effect: LoopEffect): void {
    switch (effect.type) {
      case "decide":
        if (effect.when === "now") this.#decide();
        else setImmediate(() => this.#decide());
        return;
      case "append":
        this.#append(effect);
        return;
      case "readRecord":
        this.#await(this.#readRecord(effect.index), (text) => this.#core.recordRead(text));
        return;
      case "recover":
        this.#await(recover(this.#store), ({ state }) => this.#core.recovered(state));
        return;
      case "bringRules":
        this.#await(this.#rules.bring(this.#core.state.graph), (failures) =>
          this.#core.rulesBrought(this.#rules.rules, failures),
        );
        return;
      case "send":
        this.#listener.commands(effect.commands);
        return;
      case "committed":
        this.#committed(effect);
        return;
      case "reply":
        taken(this.#replies, effect.ref)?.(effect.reply);
        return;
      case "durable":
        taken(this.#reads, effect.ref)?.();
        return;
      case "arm":
        this.#arm(effect.key, effect.inMs);
        return;
      case "disarm":
        clearTimeout(this.#timers.get(effect.key));
        return;
      case "warning":
        this.#listener.warning(effect.text);
        return;
      case "lost":
        this.#stopWatching();
        this.#reads.clear();
        this.#listener.fatal(fromErrorData(effect.error));
        return;
      case "closed":
        this.#tellClosed();
        return;
    }
  }

  #decide(): void {
    this.#take(() =>
      this.#rules.attempt(
        this.#core.deadlineMs,
        () => this.#core.decide(performance.now(), Date.now()),
        (interruption) => this.#core.interrupted(interruption),
      ),
    );
  }

  #append({ index, text, commands }: Extract<LoopEffect, { type: "append" }>): void {
    traceStarts("decided", commands);
    this.#data = encodeRecord(text);
    this.#await(this.#store.append(this.#data, { index, epoch: this.#core.epoch }), (appended) => {
      if (appended.type === "committed") {
        failpoint("coordinator.after-commit");
        traceStarts("durable", commands);
      }
      return this.#core.appended(appended);
    });
  }

  async #readRecord(index: number): Promise<string | null> {
    for await (const { data } of this.#store.read(index)) return recordText(data);
    return null;
  }

  #committed({ record, text }: Extract<LoopEffect, { type: "committed" }>): void {
    const { index, wallTime } = record;
    this.#listener.record({ index, wallTime, text, data: this.#data });
    this.#snapshots.count(this.#data.length);
    this.#snapshots.saveIfDue(this.#core.state);
  }

  #arm(key: LoopDeadline, inMs: number): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.set(
      key,
      setTimeout(() => this.#take(() => this.#core.due(key)), inMs),
    );
  }

  /** Gives the core the end of what takes time. */
  #await<Result>(work: Promise<Result>, end: (result: Result) => readonly LoopEffect[]): void {
    work.then(
      (result) => this.#take(() => end(result)),
      (error) => this.#take(() => this.#core.failed(toErrorData(error))),
    );
  }
}

/** Why a coordinator ends whose store is another's now. */
export function lost(reason: string): HalonError {
  return new HalonError("HAL_NO_LEADER", `This node does not lead any more: ${reason}.`);
}

function taken<Listener>(listeners: Map<number, Listener>, ref: number): Listener | undefined {
  const listener = listeners.get(ref);
  listeners.delete(ref);
  return listener;
}
