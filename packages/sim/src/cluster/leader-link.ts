import type { World } from "../world.ts";
import type { SimHalond } from "./halond.ts";
import { closeEnd, openLink, peerOf, type SimLink } from "./links.ts";
import { slotAt } from "./messages.ts";
import { arm, disarm } from "./threads.ts";
import { clusterOf, machineMs } from "./world.ts";

/** Wait before the next attempt to connect: 50 ms doubling to 1 s, ± 25 %. */
const backoffFirstMs = 50;
const backoffMostMs = 1_000;
const steadyUs = 1_000_000;

/** Moves the link there; null: there is nobody to link to. Told the same again, it does not wait to try again. */
export function followLeader(world: World, halond: SimHalond, address: string | null): void {
  const { leaderLink } = halond;
  if (address === leaderLink.address) {
    leaderLink.attempt = 0;
    if (halond.timers.has("connect")) connect(world, halond);
    return;
  }
  const { link } = leaderLink;
  leaderLink.address = null;
  leaderLink.link = null;
  disarm(halond, "connect");
  if (link !== null) closeEnd(world, link, halond.node.slot, "another node leads");
  const wasUp = leaderLink.peer !== undefined;
  leaderLink.peer = undefined;
  if (wasUp) halond.disconnected(world, halond);
  leaderLink.address = address;
  if (address === null) return;
  leaderLink.lost = undefined;
  leaderLink.attempt = 0;
  connect(world, halond);
}

/** Tries to open the link. */
export function connect(world: World, halond: SimHalond): void {
  const { leaderLink } = halond;
  disarm(halond, "connect");
  if (leaderLink.address === null) return;
  leaderLink.link = openLink(world, halond, slotAt(world, leaderLink.address));
}

/** Tries again after a while. */
export function connectLater(world: World, halond: SimHalond): void {
  const { leaderLink, node } = halond;
  leaderLink.link = null;
  if (leaderLink.address === null) return;
  const baseMs = Math.min(backoffMostMs, backoffFirstMs * 2 ** Math.min(leaderLink.attempt, 10));
  leaderLink.attempt += 1;
  arm(world, halond, "connect", (baseMs * node.prng.between(750, 1_250)) / 1_000);
}

/** The link to the leader is up. The answer is the name of the node at its other end; null: it is not that link. */
export function leaderLinkUp(world: World, halond: SimHalond, link: SimLink): string | null {
  const { leaderLink, node } = halond;
  if (leaderLink.link !== link) return null;
  const peer = clusterOf(world).nodes[peerOf(link, node.slot)]?.name ?? null;
  leaderLink.peer = peer ?? undefined;
  leaderLink.upAtUs = world.now;
  leaderLink.lost = undefined;
  return peer;
}

/** A link has ended, or could not be opened. True: it was that to the leader, and up. */
export function leaderLinkDown(
  world: World,
  halond: SimHalond,
  link: SimLink,
  reason: string,
): boolean {
  const { leaderLink, node } = halond;
  if (leaderLink.link !== link) return false;
  const { peer } = leaderLink;
  leaderLink.peer = undefined;
  // A link that breaks as soon as it is up is no reason to hurry.
  if (peer !== undefined && world.now - leaderLink.upAtUs > steadyUs) leaderLink.attempt = 0;
  connectLater(world, halond);
  if (peer === undefined) return false;
  leaderLink.lost = { node: peer, reason, at: machineMs(world, node) };
  return true;
}
