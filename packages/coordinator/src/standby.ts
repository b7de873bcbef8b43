import { type DecisionRecord, toErrorData } from "@halon/protocol";
import { type CoordinatorState, fold } from "./core/index.ts";
import { DecisionLoop, type LoopListener, lost } from "./loop.ts";
import type { RuleFileHost } from "./realm/load.ts";
import { type Recovered, recordText, recover } from "./recover.ts";
import { RulesInForce } from "./rule-files.ts";
import { Snapshots } from "./snapshots.ts";
import type { Store, StoredRecord } from "./store/port.ts";

/** How often it begins again when snapshots from elsewhere overtake it while it reads. */
const recoveriesMax = 5;

export interface StandbyListener extends LoopListener {
  /**
   * The state is that of the last record there is; each one after it is told by `record`. Called before `Standby.open`
   * resolves, and again when a snapshot from elsewhere has replaced records. The state is to be read at once.
   */
  following(state: CoordinatorState): void;
}

/**
 * A coordinator that owns nothing: it folds what others commit, and is ready to decide from there.
 *
 * It saves snapshots where every handle of the store keeps its own.
 */
export class Standby {
  readonly #store: Store;
  readonly #listener: StandbyListener;
  readonly #rules: RulesInForce;
  #state: CoordinatorState;
  #snapshots: Snapshots;
  #unfollow: () => void = () => undefined;
  #phase: "following" | "recovering" | "over" = "following";
  #whenFolded: { readonly index: number; readonly resolve: () => void } | undefined;

  private constructor(
    store: Store,
    rules: RulesInForce,
    listener: StandbyListener,
    recovered: Recovered,
  ) {
    this.#store = store;
    this.#rules = rules;
    this.#listener = listener;
    this.#state = recovered.state;
    this.#snapshots = new Snapshots(store, recovered, listener);
  }

  /** Resolves when it has folded all there is. Errors are those of the store. */
  static async open(
    store: Store,
    options: { readonly ruleFiles: RuleFileHost; readonly listener: StandbyListener },
  ): Promise<Standby> {
    const rules = new RulesInForce(options.ruleFiles);
    const standby = new Standby(store, rules, options.listener, await recoverAnew(store));
    standby.#follow();
    return standby;
  }

  /** As of the last record folded. */
  get state(): CoordinatorState {
    return this.#state;
  }

  /**
   * Resolves when this node owns the store and decides; may take for ever. The standby is over then. Errors:
   * HAL_STORE_FAILED when the store is closed.
   */
  async lead(): Promise<DecisionLoop> {
    const { index } = await this.#store.lead();
    const stopWatching = this.#store.onLost((reason) => this.#listener.fatal(lost(reason)));
    await this.#folded(index);
    this.#unfollow();
    this.#phase = "over";
    const loop = await DecisionLoop.open({
      store: this.#store,
      state: this.#state,
      rules: this.#rules,
      snapshots: this.#snapshots,
      listener: this.#listener,
    });
    stopWatching();
    return loop;
  }

  /** Waits for the snapshot under way, then closes the store. */
  async close(): Promise<void> {
    this.#unfollow();
    this.#phase = "over";
    await this.#snapshots.idle();
    await this.#store.close();
  }

  #follow(): void {
    this.#phase = "following";
    try {
      this.#unfollow = this.#store.follow(
        this.#state.index + 1,
        (stored) => this.#take(stored),
        (error) => void this.#broken(error),
      );
    } catch (error) {
      void this.#broken(error);
      return;
    }
    this.#listener.following(this.#state);
    this.#rules.prepare(this.#state.graph);
    this.#tellFolded();
  }

  #take({ index, data }: StoredRecord): void {
    const text = recordText(data);
    const record = JSON.parse(text) as DecisionRecord;
    fold(this.#state, record);
    this.#listener.record({ index, wallTime: record.wallTime, text, data });
    this.#rules.prepare(this.#state.graph);
    this.#snapshots.count(data.length);
    // Reading a large state takes long enough for a rule file that is being loaded to be blamed for it.
    if (this.#store.snapshotsAreOwn && !this.#rules.isLoading)
      this.#snapshots.saveIfDue(this.#state);
    this.#tellFolded();
  }

  async #broken(error: unknown): Promise<void> {
    if (this.#phase !== "following") return;
    if (toErrorData(error).code !== "HAL_NOT_FOUND") {
      this.#fail(error);
      return;
    }
    this.#phase = "recovering";
    try {
      await this.#rules.idle();
      await this.#snapshots.idle();
      const recovered = await recoverAnew(this.#store);
      if (this.#phase !== "recovering") return;
      this.#state = recovered.state;
      this.#snapshots = new Snapshots(this.#store, recovered, this.#listener);
      this.#follow();
    } catch (again) {
      this.#fail(again);
    }
  }

  #fail(error: unknown): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#listener.fatal(error);
  }

  #folded(index: number): Promise<void> {
    return new Promise((resolve) => {
      this.#whenFolded = { index, resolve };
      this.#tellFolded();
    });
  }

  #tellFolded(): void {
    if (this.#phase !== "following" || this.#whenFolded === undefined) return;
    if (this.#state.index >= this.#whenFolded.index) this.#whenFolded.resolve();
  }
}

/** Recovers, and again where a snapshot from elsewhere has overtaken it meanwhile. */
async function recoverAnew(store: Store): Promise<Recovered> {
  for (let recoveries = 1; ; recoveries++) {
    try {
      return await recover(store);
    } catch (error) {
      if (toErrorData(error).code !== "HAL_NOT_FOUND" || recoveries === recoveriesMax) throw error;
    }
  }
}
