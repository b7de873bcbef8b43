import type { Firing } from "@halon/protocol";
import type { CoordinatorState } from "./state.ts";

/** Timers that may be armed when a rule file arms another. */
export const timersMax = 100_000;
/** Commands to one node that may be unanswered when a rule file sends another. */
export const outboxMax = 10_000;

/**
 * Bounds what rule files leave waiting. The built-in rules have their own bound, a few of each for every slot and
 * request, and must go on when a rule file has used up the room.
 */
export function admit(
  state: CoordinatorState,
  file: string,
  { timers, commands }: Pick<Firing, "timers" | "commands">,
): void {
  if (file === "builtin") return;
  const armed = timers.filter(({ type, key }) => type === "arm" && !state.timers.has(key)).length;
  if (state.timers.size + armed > timersMax) {
    throw new RangeError(
      `${state.timers.size} timers are armed; ${armed} more would pass ${timersMax}`,
    );
  }
  for (const node of new Set(commands.map((command) => command.node))) {
    const sent = commands.filter((command) => command.node === node).length;
    const waiting = state.outbox.countOf(node);
    if (waiting + sent > outboxMax) {
      throw new RangeError(
        `${waiting} commands to ${node} are unanswered; ${sent} more would pass ${outboxMax}`,
      );
    }
  }
}
