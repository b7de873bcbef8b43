import type { Effect } from "./effect.ts";
import type { Input } from "./input.ts";
import type { Message } from "./message.ts";
import type { RaftState } from "./state.ts";

/** One stable line about a message. */
export function describeMessage(_message: Message): string {
  throw new Error("to come");
}

/** One stable line about an input. */
export function describeInput(_input: Input): string {
  throw new Error("to come");
}

/** One stable line about an effect. */
export function describeEffect(_effect: Effect): string {
  throw new Error("to come");
}

/** One stable line about a member. */
export function describeState(_state: RaftState): string {
  throw new Error("to come");
}
