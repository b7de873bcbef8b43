import type { LeaseEffect } from "@halon/coordinator/core";
import { feed } from "../feed.ts";
import type { World } from "../world.ts";
import type { Decider } from "./askers.ts";
import { nextNumber, type SimCoordinator, tell } from "./coordinator-thread.ts";
import { arm, disarm } from "./threads.ts";
import { machineMs, saw } from "./world.ts";

/** How long it may take to find out whether the store is still owned; ms. */
const confirmMs = 1_000;

/** Effects of the grants, and how to wait until all is durable. */
export interface LeaseWork {
  readonly effects: readonly LeaseEffect[];
  readonly whenDurable: (ref: number) => void;
}

/** Carries out what the grants of leases ask for; `whenDurable` is that of the decision loop. */
export function carryOutLeases(
  world: World,
  coordinator: SimCoordinator,
  decider: Decider,
  { effects, whenDurable }: LeaseWork,
): void {
  const { node } = coordinator;
  for (const effect of effects)
    switch (effect.type) {
      case "confirm":
        confirm(world, coordinator, decider, effect.ref);
        break;
      case "whenDurable":
        whenDurable(effect.ref);
        break;
      case "granted": {
        const { ref, instances } = effect;
        const to = decider.renewing.get(ref) ?? "";
        decider.renewing.delete(ref);
        tell(world, coordinator, { type: "granted", ref, instances });
        if (instances.length > 0) saw(world, { type: "granted", leader: node, to, instances });
        break;
      }
      case "refused": {
        const { ref, code, message } = effect;
        decider.renewing.delete(ref);
        tell(world, coordinator, { type: "failed", ref, error: { code, message } });
      }
    }
}

function confirm(world: World, coordinator: SimCoordinator, decider: Decider, ref: number): void {
  const id = nextNumber(world);
  decider.confirming = { id, ref };
  arm(world, coordinator, "confirm", confirmMs);
  const input = { type: "confirmLead", id, epoch: decider.epoch } as const;
  feed(world, coordinator.node.member, { type: "store", input });
}

/** The member has answered, or not in time: what follows for the grants. */
export function confirmedEffects(
  world: World,
  coordinator: SimCoordinator,
  decider: Decider,
  isOwner: boolean,
): readonly LeaseEffect[] {
  const { confirming, loop, grants } = decider;
  if (confirming === null) return [];
  decider.confirming = null;
  disarm(coordinator, "confirm");
  const now = machineMs(world, coordinator.node);
  return grants.confirmed(confirming.ref, isOwner, loop.state, now);
}
