import type { KvState } from "./state.ts";
import type { ReadTransaction } from "./transaction.ts";

/** The longest answer that is built, in characters. */
export const answerLengthMax = 256 * 1024 * 1024;

/** JSON text of the answer to all reads at log time `now`; null when it is longer than `answerLengthMax`. */
export function readTransactions(
  _state: KvState,
  _reads: readonly ReadTransaction[],
  _now: number,
): string | null {
  throw new Error("not built");
}
