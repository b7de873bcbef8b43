import type { StatechartRule } from "./statechart.ts";

/** Refuses a statechart that cannot be a job. */
export function checkMachine(_name: string, _rule: StatechartRule): void {
  // Filled in next.
}
