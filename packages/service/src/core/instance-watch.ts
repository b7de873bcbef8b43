import {
  arm,
  disarm,
  type Instance,
  type SiteState,
  type Turn,
  type Watched,
} from "./site-state.ts";
import { firstCheck } from "./supervision.ts";

/** Watches an instance from now on; its first check is at once. */
export function watch(state: SiteState, turn: Turn, instance: Instance): void {
  const watched: Watched = { instance, schedule: firstCheck(turn.now), killedAt: null };
  state.watched.set(instance.spec.instance, watched);
  scheduleCheck(state, turn, watched);
}

/** Whatever is asked of it still is for nobody. */
export function unwatch(state: SiteState, turn: Turn, instance: string): void {
  if (state.watched.delete(instance)) disarm(state, turn, keyOf(instance));
}

/** Arms the next check. */
export function scheduleCheck(state: SiteState, turn: Turn, watched: Watched): void {
  const inMs = Math.max(0, watched.schedule.dueAtMs - turn.now);
  const deadline = { type: "check", watched } as const;
  arm(state, turn, keyOf(watched.instance.spec.instance), { inMs, deadline });
}

function keyOf(instance: string): string {
  return `check ${instance}`;
}
