import { createContext, Script } from "node:vm";

const idle = (): void => undefined;
const script = new Script("work()");
const context = createContext({ work: idle });

/**
 * Runs `work`, and ends it at the deadline wherever it is; null when that was before its end.
 *
 * What it has changed by then stays half done. Not for work that waits, and not within itself.
 */
export function runWithin<T>(deadlineMs: number, work: () => T): { readonly value: T } | null {
  let ended: { readonly value: T } | null = null;
  context["work"] = (): void => {
    ended = { value: work() };
  };
  try {
    script.runInContext(context, { timeout: deadlineMs });
  } catch (error) {
    // Work that ends in the moment of its deadline has ended.
    if ((error as { readonly code?: unknown }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
  } finally {
    context["work"] = idle;
  }
  return ended;
}
