import type { CrashTail } from "../scenario.ts";
import { eventKind, type World } from "../world.ts";
import { endThread } from "./threads.ts";
import { clusterOf, type SimNode } from "./world.ts";

/** Whether nodes of this run find each other by themselves. */
export function isBootstrapped(world: World): boolean {
  return world.cluster?.settings.bootstrap !== undefined;
}

/** Whether a node is not part of the cluster yet: those that it may have to hear it from are needed. */
export function hasBeginners(world: World): boolean {
  return (
    isBootstrapped(world) && clusterOf(world).nodes.some(({ setupDisk }) => !isInside(setupDisk))
  );
}

/** Whether the disk says that its node is part of a complete cluster. */
export function isInside(disk: SimNode["setupDisk"]): boolean {
  const found = disk.read();
  return found.type === "setup" && found.setup.phase === "complete";
}

/** `halond` dies while its cluster begins, and starts again later. */
export function crashBeginning(world: World, node: SimNode, forUs: number, tail: CrashTail): void {
  const { beginning } = node;
  if (beginning === null) return;
  world.counters.crashes += 1;
  world.counters.crashWhileBeginning += 1;
  endThread(beginning);
  node.beginning = null;
  node.status = "down";
  node.setupDisk.losePower(tail, node.prng);
  world.trace.note(world.now, `${node.name} ends while its cluster begins`);
  startLater(world, node, forUs);
}

/** Starts the node after a while, unless it runs by then. */
export function startLater(world: World, node: SimNode, inUs: number): void {
  const { slot, incarnation } = node;
  world.queue.push(world.now + inUs, eventKind.node, slot, incarnation, null);
}
