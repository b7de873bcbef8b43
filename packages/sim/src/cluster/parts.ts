import type { PartCheck, PartEffect } from "@halon/node/core";
import type { World } from "../world.ts";
import type { SimHalond, SimTracker } from "./halond.ts";
import { arm } from "./threads.ts";

/** Parts are looked at so often; what changed meanwhile is told then. On tracking nodes more often; ms. */
const lookEveryMs = 1_000;

/** The parts of a tracking node begin: its member, its recovery supervisor and its coordinator. */
export function beginParts(world: World, halond: SimHalond): void {
  const { node, parts, tracker } = halond;
  scheduleLook(world, halond);
  if (tracker === null) return;
  const member: PartCheck = () => ({
    state: "running",
    health: "ok",
    detail: node.member.process?.raft.role ?? "starting",
  });
  runParts(world, halond, parts.begin("halon-agency", member));
  const recovery: PartCheck = () => {
    const { lastEnd } = tracker;
    const detail = lastEnd === null ? {} : { detail: `the last coordinator ended: ${lastEnd}` };
    return { state: "running", health: "ok", ...detail };
  };
  runParts(world, halond, parts.begin("halon-recovery", recovery));
  followCoordinator(world, halond, tracker);
}

/** Looks at the parts of this node, and tells of what has changed. */
export function lookAtParts(world: World, halond: SimHalond): void {
  const { parts, tracker } = halond;
  scheduleLook(world, halond);
  if (tracker !== null) followCoordinator(world, halond, tracker);
  runParts(world, halond, parts.look());
}

function scheduleLook(world: World, halond: SimHalond): void {
  arm(world, halond, "parts", halond.tracker === null ? lookEveryMs : lookEveryMs / 4);
}

/** Each coordinator is another start of that part. */
function followCoordinator(world: World, halond: SimHalond, tracker: SimTracker): void {
  if (tracker.toldEnds === tracker.ends) return;
  tracker.toldEnds = tracker.ends;
  const { node, parts } = halond;
  const check: PartCheck = () => {
    const { coordinator } = node;
    if (coordinator?.isFollowing === true)
      return {
        state: "running",
        health: "ok",
        detail: coordinator.decider === null ? "standby" : "leading",
      };
    const { lastEnd } = tracker;
    return {
      state: "starting",
      health: "unknown",
      ...(lastEnd === null ? {} : { detail: lastEnd }),
    };
  };
  runParts(world, halond, parts.begin("halon-coordinator", check));
}

/** The supervisor has begun, for the first time or again. */
export function supervisorBegan(world: World, halond: SimHalond): void {
  const check: PartCheck = () => ({ state: "running", health: "ok" });
  runParts(world, halond, halond.parts.begin("halon-supervisor", check));
}

/** Carries out what the parts of a node ask for. */
export function runParts(world: World, halond: SimHalond, effects: readonly PartEffect[]): void {
  for (const effect of effects) {
    if (effect.type === "emit") halond.emit(world, halond, effect.event, effect.data);
    else runParts(world, halond, halond.parts.reported(effect, { simulated: true }));
  }
}
