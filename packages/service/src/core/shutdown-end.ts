import { unwatch } from "./instance-watch.ts";
import { dropGuards } from "./lease-guards.ts";
import { arm, disarm, type SiteState, type Turn } from "./site-state.ts";

/** How long a shutdown waits for exits beyond the stop timeout of the slowest type. */
const graceMs = 2_000;
const key = "shutdown";

/** Ends a shutdown when nothing is left, or sets its deadline when it is known what has to be waited for. */
export function settleShutdown(state: SiteState, turn: Turn): void {
  if (state.shutdown !== "closing" || state.releasing.size > 0) return;
  if (state.present.size === 0) endShutdown(state, turn);
  else if (!state.deadlines.has(key)) {
    arm(state, turn, key, { inMs: state.slowestMs + graceMs, deadline: { type: "shutdown" } });
  }
}

/** The shutdown is over, whatever is left. */
export function endShutdown(state: SiteState, turn: Turn): void {
  state.shutdown = "closed";
  disarm(state, turn, key);
  for (const instance of [...state.watched.keys()]) unwatch(state, turn, instance);
  dropGuards(state, turn);
  turn.effects.push({ type: "drained" });
}
