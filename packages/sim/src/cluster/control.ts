import type { CrashTail } from "../scenario.ts";
import type { World } from "../world.ts";
import type { OperatorRequest, SimNode } from "./world.ts";

/** `halond` dies, its threads and workers with it; OS processes live on. It starts again after `forUs`. */
export function crashNode(world: World, node: SimNode, forUs: number, tail: CrashTail): void {
  throw new Error(`not built: ${world.now} ${node.name} ${forUs} ${tail}`);
}

/** The machine is gone, and every process on it; its connections do not close, they fall silent. */
export function loseMachine(world: World, node: SimNode, forUs: number, tail: CrashTail): void {
  throw new Error(`not built: ${world.now} ${node.name} ${forUs} ${tail}`);
}

/** The machine stops as a whole, its clock goes on. */
export function pauseNode(world: World, node: SimNode, forUs: number): void {
  throw new Error(`not built: ${world.now} ${node.name} ${forUs}`);
}

/** The node's coordinator dies alone. No effect where there is none. */
export function crashCoordinator(world: World, node: SimNode): void {
  throw new Error(`not built: ${world.now} ${node.name}`);
}

/** The node's coordinator does nothing for a while, and then goes on. */
export function hangCoordinator(world: World, node: SimNode, forUs: number): void {
  throw new Error(`not built: ${world.now} ${node.name} ${forUs}`);
}

/** The node's supervisor ends; who watches it has to see that. */
export function crashSupervisor(world: World, node: SimNode): void {
  throw new Error(`not built: ${world.now} ${node.name}`);
}

/** Connections of the node close, and are opened again. */
export function resetLinks(world: World, node: SimNode): void {
  throw new Error(`not built: ${world.now} ${node.name}`);
}

/** Sends a request to the node; the answer comes to the cluster's `operators`, once. */
export function askNode(world: World, node: SimNode, request: OperatorRequest): void {
  throw new Error(`not built: ${world.now} ${node.name} ${request.ref}`);
}

/** The node whose coordinator decides, in the highest epoch; null when none does. */
export function decidingNode(world: World): SimNode | null {
  throw new Error(`not built: ${world.now}`);
}
