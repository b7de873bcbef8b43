import { linkOf } from "../network.ts";
import { eventKind, type World } from "../world.ts";
import type { SimHalond } from "./halond.ts";
import { give } from "./threads.ts";
import { clusterOf, inMachineMs, type SimNode } from "./world.ts";

/** What crosses a link as JSON text. */
export interface LinkFrame {
  readonly link: SimLink;
  /** Slot of the sender. */
  readonly from: number;
  readonly text: string;
}

/** What happens to a link itself, at the end of the slot of the event. */
export interface LinkEvent {
  readonly link: SimLink;
  readonly type: "asked" | "opened" | "refused" | "closed" | "late" | "look";
  readonly reason: string;
}

/** One end of a link. */
export interface LinkEnd {
  readonly slot: number;
  /** Null: it is not open here, or not any more. */
  halond: SimHalond | null;
  /** When it heard of the other end last; µs. */
  heardAt: number;
  /** What was sent from here and has not arrived, in order. */
  readonly sent: LinkFrame[];
  /** When the last of it arrives; µs. */
  lastArrival: number;
}

/** One connection that a node opened to another, or is opening. Ordered in each direction. */
export interface SimLink {
  /** Unique in a run. */
  readonly number: number;
  readonly from: LinkEnd;
  readonly to: LinkEnd;
  state: "opening" | "open" | "closed";
}

const lookUs = 500_000;
const silentUsMax = 1_500_000;
/** How long somebody who opens a link waits for the other side; ms. */
const helloMs = 5_000;
/** A lost packet is sent again so soon; µs. */
const againUs = 200_000;

/** Whether packets of one machine reach the other now. */
export function isOpen({ network, now }: World, from: number, to: number): boolean {
  const link = linkOf(from, to);
  return (network.cuts[link] ?? 0) === 0 && (network.cloggedUntil[link] ?? 0) <= now;
}

/** When a packet that is sent now arrives, if it does; µs. */
export function arrivalOf({ network, now }: World, node: SimNode, to: number): number {
  const { delayMinUs, delayMaxUs } = network.settings;
  const slowness = network.slowness[linkOf(node.slot, to)] ?? 1;
  return now + Math.ceil(node.prng.between(delayMinUs, delayMaxUs) * slowness);
}

/** A node opens a link to another: it hears `linkUp`, `linkRefused` or `linkDown` of it. */
export function openLink(world: World, halond: SimHalond, to: number): SimLink {
  const cluster = clusterOf(world);
  const { node } = halond;
  cluster.lastNumber += 1;
  const link: SimLink = {
    number: cluster.lastNumber,
    from: { slot: node.slot, halond, heardAt: world.now, sent: [], lastArrival: 0 },
    to: { slot: to, halond: null, heardAt: world.now, sent: [], lastArrival: 0 },
    state: "opening",
  };
  cluster.links.add(link);
  const { slot } = node;
  const late = { link, type: "late", reason: "no answer" } as const;
  world.queue.push(inMachineMs(world, node, helloMs), eventKind.link, slot, 0, late);
  // Three ways: the connection, then the hello.
  if (isOpen(world, slot, to) && isOpen(world, to, slot)) {
    const other = nodeAt(world, to);
    const at = arrivalOf(world, node, to) + 2 * (arrivalOf(world, other, slot) - world.now);
    world.queue.push(at, eventKind.link, to, 0, { link, type: "asked", reason: "" });
  }
  return link;
}

/** The machine at the other side takes the connection, or has nobody who does. */
function onAsked(world: World, link: SimLink): void {
  const node = nodeAt(world, link.to.slot);
  if (link.state !== "opening" || !isOpen(world, link.from.slot, link.to.slot)) return;
  if (node.halond === null) {
    // A machine that is gone does not say so.
    if (!node.isLost) refuseLink(world, link, "down", "nobody listens there");
    return;
  }
  give(world, node.halond, { type: "linkAsked", link });
}

/** The node asked takes the link: both can send from now on, once the answer is there. */
export function acceptLink(world: World, link: SimLink, halond: SimHalond): void {
  link.to.halond = halond;
  link.to.heardAt = world.now;
  // Nothing that is sent from here on may overtake it.
  link.to.lastArrival = arrivalOf(world, halond.node, link.from.slot);
  const opened = { link, type: "opened", reason: "" } as const;
  world.queue.push(link.to.lastArrival, eventKind.link, link.from.slot, 0, opened);
}

/** The node asked does not take the link. */
export function refuseLink(
  world: World,
  link: SimLink,
  how: "refused" | "down",
  reason: string,
): void {
  const { from, to } = link;
  const at = arrivalOf(world, nodeAt(world, to.slot), from.slot);
  const type = how === "refused" ? "refused" : "closed";
  world.queue.push(at, eventKind.link, from.slot, 0, { link, type, reason });
}

/** Something happens to a link, at the end of this slot. */
export function onLink(world: World, slot: number, { link, type, reason }: LinkEvent): void {
  const end = endOf(link, slot);
  switch (type) {
    case "asked":
      onAsked(world, link);
      return;
    case "opened":
      onOpened(world, link);
      return;
    case "refused":
      if (end.halond !== null) give(world, end.halond, { type: "linkRefused", link, reason });
      drop(world, link);
      return;
    case "late":
      if (link.state === "opening") closeEnd(world, link, slot, reason);
      return;
    case "closed":
      closeEnd(world, link, slot, reason);
      return;
    case "look":
      look(world, link);
      return;
  }
}

function onOpened(world: World, link: SimLink): void {
  const { from, to } = link;
  if (link.state !== "opening") return;
  if (from.halond?.isAlive !== true) {
    closeEnd(world, link, to.slot, "the other side has gone");
    return;
  }
  link.state = "open";
  from.heardAt = world.now;
  give(world, from.halond, { type: "linkUp", link, slot: to.slot });
  world.queue.push(world.now + lookUs, eventKind.link, from.slot, 0, lookAt(link));
}

function lookAt(link: SimLink): LinkEvent {
  return { link, type: "look", reason: "" };
}

/** Each end has heard the other, or has not for too long. */
function look(world: World, link: SimLink): void {
  if (link.state !== "open") return;
  for (const [end, other] of [
    [link.from, link.to],
    [link.to, link.from],
  ] as const) {
    if (end.halond === null) continue;
    const isPaused = isStill(world, end.slot);
    const isHeard =
      other.halond?.isAlive === true &&
      !isStill(world, other.slot) &&
      isOpen(world, other.slot, end.slot);
    if (isPaused || isHeard) end.heardAt = world.now;
    else if (world.now - end.heardAt >= silentUsMax)
      closeEnd(world, link, end.slot, "silent for 1500 ms");
  }
  if (isUsed(link))
    world.queue.push(world.now + lookUs, eventKind.link, link.from.slot, 0, lookAt(link));
  else drop(world, link);
}

function isUsed({ from, to }: SimLink): boolean {
  return from.halond !== null || to.halond !== null;
}

/** Whether the machine stands still. */
export function isStill({ members, now }: World, slot: number): boolean {
  return (members[slot]?.pausedUntil ?? 0) > now;
}

/** Closes one end; the other hears of it where it can. */
export function closeEnd(world: World, link: SimLink, slot: number, reason: string): void {
  const end = endOf(link, slot);
  const { halond } = end;
  if (halond === null) return;
  end.halond = null;
  if (halond.isAlive) give(world, halond, { type: "linkDown", link, reason });
  tellClosed(world, link, slot, reason);
}

/** `halond` has ended: its kernel closes its connections, unless the machine is gone with it. */
export function closeAll(world: World, halond: SimHalond, isMachine: boolean): void {
  const { slot } = halond.node;
  for (const link of clusterOf(world).links) {
    const end = link.from.slot === slot ? link.from : link.to.slot === slot ? link.to : null;
    if (end?.halond !== halond) continue;
    end.halond = null;
    if (!isMachine) tellClosed(world, link, slot, "the other side has gone");
  }
}

function tellClosed(world: World, link: SimLink, slot: number, reason: string): void {
  const other = link.from.slot === slot ? link.to : link.from;
  if (!isUsed(link)) {
    drop(world, link);
    return;
  }
  if (!isOpen(world, slot, other.slot)) return;
  const at = Math.max(arrivalOf(world, nodeAt(world, slot), other.slot), world.now + 1);
  world.queue.push(at, eventKind.link, other.slot, 0, { link, type: "closed", reason });
}

function drop(world: World, link: SimLink): void {
  link.state = "closed";
  clusterOf(world).links.delete(link);
}

/** Sends text over a link from this end; false when it is not open here. */
export function sendFrame(world: World, link: SimLink, slot: number, text: string): boolean {
  const end = endOf(link, slot);
  if (end.halond === null || link.state === "closed") return false;
  const to = end === link.from ? link.to : link.from;
  const frame: LinkFrame = { link, from: slot, text };
  end.sent.push(frame);
  world.trace.add(text.length);
  end.lastArrival = Math.max(arrivalOf(world, nodeAt(world, slot), to.slot), end.lastArrival);
  world.queue.push(end.lastArrival, eventKind.frame, to.slot, slot, frame);
  return true;
}

/** Something has come over a link: the oldest that was sent and has not arrived, as nothing overtakes on a connection. */
export function onFrame(world: World, { link, from: slot }: LinkFrame): void {
  const from = endOf(link, slot);
  const to = from === link.from ? link.to : link.from;
  const [frame] = from.sent;
  if (frame === undefined || link.state === "closed") return;
  if (!isOpen(world, slot, to.slot)) {
    world.queue.push(world.now + againUs, eventKind.frame, to.slot, slot, frame);
    return;
  }
  from.sent.shift();
  // What comes before the answer to its hello waits in the socket: the turn that hears of the link is due by then.
  if (to.halond !== null) give(world, to.halond, { type: "frame", link, text: frame.text });
}

function endOf(link: SimLink, slot: number): LinkEnd {
  return link.from.slot === slot ? link.from : link.to;
}

/** Slot of the other end. */
export function peerOf(link: SimLink, slot: number): number {
  return link.from.slot === slot ? link.to.slot : link.from.slot;
}

function nodeAt(world: World, slot: number): SimNode {
  const node = clusterOf(world).nodes[slot];
  if (node === undefined) throw new Error(`there is no node at ${slot}`);
  return node;
}
