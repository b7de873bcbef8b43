import { crashMember } from "../lifecycle.ts";
import type { CrashTail } from "../scenario.ts";
import { eventKind, type World } from "../world.ts";
import { crashBeginning } from "./bootstrap-crash.ts";
import { endCoordinator } from "./coordinator-thread.ts";
import { closeAll, closeEnd } from "./links.ts";
import { dropRequests } from "./operators-desk.ts";
import { endThread, give, goOn } from "./threads.ts";
import { clusterOf, type SimNode, saw } from "./world.ts";

export { askNode } from "./operators-desk.ts";

/** `halond` dies, its threads and workers with it; OS processes live on. It starts again after `forUs`. */
export function crashNode(world: World, node: SimNode, forUs: number, tail: CrashTail): void {
  if (node.status === "begins") crashBeginning(world, node, forUs, tail);
  if (node.status !== "up") return;
  world.counters.crashes += node.role === "tracking" ? 0 : 1;
  if (node.role === "tracking") {
    crashMember(world, node.member, forUs, tail);
    return;
  }
  endHalond(world, node);
  node.status = "down";
  world.queue.push(world.now + forUs, eventKind.node, node.slot, node.incarnation, null);
}

/** The machine is gone, and every process on it; its connections do not close, they fall silent. */
export function loseMachine(world: World, node: SimNode, forUs: number, tail: CrashTail): void {
  if (node.status !== "up" && node.status !== "begins") return;
  node.isLost = true;
  crashNode(world, node, forUs, tail);
}

/** All of the threads of a `halond` end at once. */
export function endHalond(world: World, node: SimNode): void {
  const { halond, coordinator, isLost } = node;
  if (halond === null) return;
  const { services } = clusterOf(world);
  endThread(halond);
  node.halond = null;
  node.setup = null;
  if (coordinator !== null) endCoordinator(world, coordinator, "HAL_INTERNAL", "its process died");
  closeAll(world, halond, isLost);
  if (isLost) services.machineLost(node.slot);
  else services.hostEnded(node.slot);
  dropRequests(world, node);
  saw(world, { type: "nodeEnded", node, isMachine: isLost });
  world.trace.note(world.now, `${node.name} ends`);
}

/** The machine stops as a whole, its clock goes on. */
export function pauseNode(world: World, node: SimNode, forUs: number): void {
  node.member.pausedUntil = Math.max(node.member.pausedUntil, world.now + forUs);
}

/** The node's coordinator dies alone. No effect where there is none. */
export function crashCoordinator(world: World, { coordinator }: SimNode): void {
  if (coordinator !== null) endCoordinator(world, coordinator, "HAL_INTERNAL", "it crashed");
}

/** The node's coordinator does nothing for a while, and then goes on. */
export function hangCoordinator(world: World, { coordinator }: SimNode, forUs: number): void {
  if (coordinator !== null)
    coordinator.hungUntil = Math.max(coordinator.hungUntil, world.now + forUs);
}

/** What hangs on the node goes on. */
export function endHangs(world: World, { halond, coordinator }: SimNode): void {
  if (halond !== null) goOn(world, halond);
  if (coordinator !== null) goOn(world, coordinator);
}

/** The node's supervisor ends; who watches it has to see that. */
export function crashSupervisor(world: World, { halond }: SimNode): void {
  if (halond !== null) give(world, halond, { type: "supervisorEnds" });
}

/** Connections of the node close, and are opened again. */
export function resetLinks(world: World, node: SimNode): void {
  for (const link of clusterOf(world).links) {
    const { from, to } = link;
    if (from.slot === node.slot || to.slot === node.slot)
      closeEnd(world, link, node.slot, "the connection was reset");
  }
}

/** The node whose coordinator decides, in the highest epoch; null when none does. */
export function decidingNode(world: World): SimNode | null {
  let found: SimNode | null = null;
  let epoch = 0;
  for (const node of clusterOf(world).nodes) {
    const decides = node.coordinator?.decider?.epoch ?? 0;
    if (decides <= epoch) continue;
    found = node;
    epoch = decides;
  }
  return found;
}
