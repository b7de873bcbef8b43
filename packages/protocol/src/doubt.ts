import type { Doubt } from "./kind.ts";

/** What watchers on other nodes say of an instance, for people: `doubted by node-2: no answer within 2 s (3 times)`. */
export function doubtText(doubts: readonly Doubt[]): string {
  return doubts.map(({ by, reason }) => `doubted by ${by}: ${reason}`).join("; ");
}
