import { arm, disarm, type Instance, type SiteState, type Turn } from "./site-state.ts";

/** Leases that were granted for starts that have not come; the oldest are forgotten. */
const earlyMax = 1_000;

/** Where the lease of an instance that is to start ends; undefined when none holds. */
export function leaseEndOf(
  { leases }: SiteState,
  { now }: Turn,
  instance: string,
): number | undefined {
  const until = leases.get(instance);
  return until !== undefined && until > now ? until : undefined;
}

/** The instance runs from now on; a guard stands behind its keeper. */
export function beginLease(state: SiteState, turn: Turn, instance: Instance): void {
  const { lease, instance: id } = instance.spec;
  if (lease === undefined) return;
  const until = state.leases.get(id) ?? lease.untilMs ?? turn.now + lease.leaseMs;
  state.leases.set(id, until);
  guardLease(state, turn, instance, until);
}

/** The lease of an instance that runs, or is to start, holds until then. */
export function renewLease(state: SiteState, turn: Turn, instance: string, untilMs: number): void {
  const before = state.leases.get(instance) ?? 0;
  // An answer that comes late must not take back what a later one gave.
  if (untilMs <= before) return;
  state.leases.set(instance, untilMs);
  const running = state.instances.get(instance);
  if (running !== undefined) {
    turn.effects.push({ type: "renew", instance, untilMs });
    guardLease(state, turn, running, untilMs);
    return;
  }
  for (const known of state.leases.keys()) {
    if (state.leases.size <= earlyMax) break;
    if (!state.instances.has(known)) state.leases.delete(known);
  }
}

/** Nothing of the instance runs any more. */
export function endLease(state: SiteState, turn: Turn, instance: string): void {
  disarm(state, turn, keyOf(instance));
  state.leases.delete(instance);
}

/** Nobody guards leases any more. */
export function dropGuards(state: SiteState, turn: Turn): void {
  for (const instance of state.leases.keys()) disarm(state, turn, keyOf(instance));
}

/** Looks again when the lease ends. */
export function guardLease(
  state: SiteState,
  turn: Turn,
  instance: Instance,
  untilMs: number,
): void {
  const inMs = Math.max(0, untilMs - turn.now);
  const deadline = { type: "lease", instance } as const;
  arm(state, turn, keyOf(instance.spec.instance), { inMs, deadline });
}

function keyOf(instance: string): string {
  return `lease ${instance}`;
}
