import { Draft } from "./draft.ts";
import { entryText } from "./entry.ts";
import type { Notification } from "./observers.ts";
import { failingPaths } from "./preconditions.ts";
import { answerLengthMax, readText } from "./read.ts";
import type { KvState, Stamp } from "./state.ts";
import type { ReadTransaction, TransactItem, WriteTransaction } from "./transaction.ts";

/** What came of one write transaction; in all but the first nothing has changed. */
export type Outcome =
  | { readonly type: "applied"; readonly index: number }
  /** Normalised paths whose preconditions do not hold. */
  | { readonly type: "failed"; readonly paths: readonly string[] }
  /** It touches `.agency`. */
  | { readonly type: "forbidden" }
  /** An operator refused its arguments or the value that it met. */
  | { readonly type: "rejected" };

/** Answer to a `transact` or `transient`: JSON text, and the highest index that it wrote or 0. */
export interface TransactAnswer {
  readonly status: 200 | 403 | 412 | 500;
  readonly text: string;
  readonly lastIndex: number;
}

/**
 * Transactions of one turn, sequenced one after the other on the newest state.
 *
 * It has one owner and changes in place; states that it gives out stay as they are.
 */
export class Batch {
  readonly #before: KvState;
  readonly #draft: Draft;
  #logged = "";
  #published: KvState | undefined;

  constructor(state: KvState, stamp: Stamp) {
    this.#before = state;
    this.#draft = new Draft(state, stamp);
  }

  /** Number of transactions applied. */
  get count(): number {
    return this.#draft.index - this.#before.index;
  }

  /** The state after all transactions so far; the one before the batch while none has been applied. */
  get state(): KvState {
    if (this.count === 0) return this.#before;
    this.#published ??= this.#draft.publish();
    return this.#published;
  }

  /** Whom the applied transactions concern; to be told when the entry is committed. */
  get notifications(): readonly Notification[] {
    return this.#draft.notices.list();
  }

  /** Carries out a transaction, if its preconditions hold on the state that those before it have left. */
  add(transaction: WriteTransaction): Outcome {
    if (transaction.forbidden) return { type: "forbidden" };
    if (transaction.preconditions.length > 0) {
      const paths = failingPaths(this.#draft, transaction.preconditions);
      if (paths.length > 0) return { type: "failed", paths };
    }
    const { operations, clientId, text } = transaction;
    // An operator that is refused may have touched nodes too, so nothing published before may be given out again.
    this.#published = undefined;
    if (!this.#draft.apply(operations, clientId)) return { type: "rejected" };
    this.#logged += clientId === null ? `,[${text}]` : `,[${text},${JSON.stringify(clientId)}]`;
    return { type: "applied", index: this.#draft.index };
  }

  /** Carries out the items in order; a write that fails does not stop those after it. */
  transact(items: readonly TransactItem[]): TransactAnswer {
    let status: 200 | 403 | 412 = 200;
    let lastIndex = 0;
    const text = this.#answer(items, (outcome, lengthMax) => {
      if (outcome.type === "applied") {
        lastIndex = outcome.index;
        return `${outcome.index}`;
      }
      if (outcome.type === "forbidden") {
        status = 403;
        return "0";
      }
      if (status === 200) status = 412;
      return outcome.type === "failed" ? this.#read(outcome.paths, lengthMax) : "{}";
    });
    return text === null ? { ...tooLong, lastIndex } : { status, text, lastIndex };
  }

  /** The same on the unreplicated tree: `true` or `false` for a write, always 200. */
  transient(items: readonly TransactItem[]): TransactAnswer {
    const text = this.#answer(items, (outcome) => `${outcome.type === "applied"}`);
    return text === null ? tooLong : { status: 200, text, lastIndex: 0 };
  }

  #answer(
    items: readonly TransactItem[],
    written: (outcome: Outcome, lengthMax: number) => string,
  ): string | null {
    let text = "[";
    for (const item of items) {
      if (text.length > 1) text += ",";
      // What has grown too long is not answered, but all writes are carried out.
      const lengthMax = Math.max(0, answerLengthMax - text.length);
      text +=
        item.type === "write"
          ? written(this.add(item.write), lengthMax)
          : this.#read(item.read, lengthMax);
    }
    return text.length > answerLengthMax ? null : `${text}]`;
  }

  /** JSON text of what the paths hold now. */
  read(paths: ReadTransaction): string {
    return this.#read(paths, answerLengthMax);
  }

  #read(paths: ReadTransaction, lengthMax: number): string {
    return readText(this.#draft.find([]), paths, this.#draft.stamp.logTime, lengthMax);
  }

  /** Text of the log entry of all applied transactions; null when there are none. */
  entry(): string | null {
    if (this.count === 0) return null;
    return entryText(this.#before.index + 1, this.#draft.stamp, this.#logged);
  }
}

const tooLong: TransactAnswer = {
  status: 500,
  text: `{"message":"The answer is longer than ${answerLengthMax} characters"}`,
  lastIndex: 0,
};
