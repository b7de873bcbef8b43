import { type Holds, healCluster, onClusterFault, onClusterFaultEnd } from "./cluster/nemesis.ts";
import { feed } from "./feed.ts";
import { crashMember, scheduleStart } from "./lifecycle.ts";
import { cutLinks, linkOf, renewLink, resetConnection, slotsMax } from "./network.ts";
import { addLearner, canLose, leaderOf, promote, remove, replace, transfer } from "./operator.ts";
import { Prng } from "./prng.ts";
import type { Fault, MemberFault, Target } from "./scenario.ts";
import { eventKind, type SimMember, type World } from "./world.ts";

/** Begins a fault. */
export function onFault(world: World, fault: Fault, index: number): void {
  if (world.phase !== "faults") return;
  world.counters.faults += 1;
  if (onClusterFault(world, fault, index, holdsOf(world))) return;
  const member = "target" in fault ? memberOf(world, fault.target) : null;
  world.trace.add(member?.slot ?? 0);
  world.trace.note(world.now, `${fault.type} ${member?.id ?? ""}`);
  if ("target" in fault) {
    if (member !== null) onTargetedFault(world, fault, member, index);
    return;
  }
  switch (fault.type) {
    case "crashAll":
      for (const other of world.members) crashMember(world, other, fault.forUs, fault.tail);
      return;
    case "crashWhen":
      world.prepared = [...world.prepared.slice(-3), fault];
      return;
    case "addLearner":
      addLearner(world);
      return;
    case "promote": {
      promote(world);
      return;
    }
  }
}

function holdsOf(world: World): Holds {
  return {
    links: (index, forUs, links) => hold(world, index, forUs, links),
    slot: (index, forUs, slot) => holdSlot(world, index, forUs, slot),
  };
}

type TargetedFault = Extract<MemberFault, { readonly target: Target }>;

function onTargetedFault(
  world: World,
  fault: TargetedFault,
  member: SimMember,
  index: number,
): void {
  switch (fault.type) {
    case "crash": {
      crashMember(world, member, fault.forUs, fault.tail);
      return;
    }
    case "pause":
      member.pausedUntil = world.now + fault.forUs;
      return;
    case "cut": {
      hold(world, index, fault.forUs, cutLinks(fault.shape, slotsOf(world), member.slot));
      return;
    }
    case "slowLink":
    case "clog": {
      onLinks(world, fault, linksOf(world, member), index);
      return;
    }
    case "reset": {
      reset(world, member);
      return;
    }
    case "slowDisk":
      member.disk.slowness = fault.factor;
      {
        holdSlot(world, index, fault.forUs, member.slot);
        return;
      }
    case "fullDisk":
      member.disk.isFull = true;
      {
        holdSlot(world, index, fault.forUs, member.slot);
        return;
      }
    case "flipBit": {
      flipBit(world, member);
      return;
    }
    case "load": {
      feed(world, member, { type: "load", timeoutMult: fault.timeoutMult });
      return;
    }
    case "remove": {
      remove(world, member);
      return;
    }
    case "replace":
      replace(world, member);
      return;
    case "transfer": {
      transfer(world, member);
      return;
    }
    case "hostCrash": {
      feed(world, member, { type: "campaign" });
      return;
    }
  }
}

function memberOf(world: World, { role, pick }: Target): SimMember | null {
  const leader = leaderOf(world);
  const up = world.members.filter(({ status }) => status === "up");
  const fitting =
    role === "leader" && leader !== null
      ? [leader]
      : up.filter((member) => role === "any" || member !== leader);
  return fitting[pick % Math.max(1, fitting.length)] ?? null;
}

/** All who take part, living or not. */
function slotsOf(world: World): readonly number[] {
  if (world.cluster !== null) return world.cluster.nodes.map(({ slot }) => slot);
  return world.members
    .filter(({ status }) => status !== "absent" && status !== "removed")
    .map(({ slot }) => slot);
}

function linksOf(world: World, member: SimMember): readonly number[] {
  return slotsOf(world)
    .filter((slot) => slot !== member.slot)
    .flatMap((slot) => [linkOf(slot, member.slot), linkOf(member.slot, slot)]);
}

function hold(world: World, index: number, forUs: number, links: readonly number[]): void {
  const { cuts } = world.network;
  world.activeCuts += 1;
  for (const link of links) cuts[link] = (cuts[link] ?? 0) + 1;
  world.faultLinks[index] = links;
  world.queue.push(world.now + forUs, eventKind.faultEnd, index, 0, null);
}

function holdSlot(world: World, index: number, forUs: number, slot: number): void {
  world.faultSlots[index] = slot;
  world.queue.push(world.now + forUs, eventKind.faultEnd, index, 0, null);
}

function onLinks(
  world: World,
  fault: TargetedFault & { readonly type: "slowLink" | "clog" },
  links: readonly number[],
  index: number,
): void {
  const { network } = world;
  for (const link of links)
    if (fault.type === "clog") network.cloggedUntil[link] = world.now + fault.forUs;
    else network.slowness[link] = fault.factor;
  world.faultLinks[index] = links;
  world.queue.push(world.now + fault.forUs, eventKind.faultEnd, index, 0, null);
}

/** Every connection of a member closes; what was on its way is lost, and both ends see it. */
function reset(world: World, member: SimMember): void {
  for (const other of world.members) {
    if (other === member || other.status !== "up") continue;
    resetConnection(world.network, member.slot, other.slot);
    world.queue.push(world.now + 200, eventKind.peerLost, other.slot, member.slot, null);
    world.queue.push(world.now + 200, eventKind.peerLost, member.slot, other.slot, null);
  }
}

/** Damages what is durable, on no more members than the rest can do without. */
function flipBit(world: World, member: SimMember): void {
  if (!canLose(world, member.slot) || world.replacements.length > 0) return;
  member.disk.isDamaged = true;
  crashMember(world, member, 20_000, "lost");
}

/** Ends a fault that lasts. */
export function onFaultEnd(world: World, fault: Fault, index: number): void {
  if (world.phase !== "faults") return;
  const slot = world.faultSlots[index];
  const member = slot === undefined ? undefined : world.members[slot];
  const { cuts, slowness } = world.network;
  onClusterFaultEnd(world, fault, slot);
  if (fault.type === "cut" || fault.type === "cutNode") {
    world.activeCuts -= 1;
    for (const link of world.faultLinks[index] ?? []) cuts[link] = (cuts[link] ?? 0) - 1;
  } else if (fault.type === "slowLink")
    for (const link of world.faultLinks[index] ?? []) {
      slowness[link] = 1;
      renewLink(world.network, link);
    }
  else if (fault.type === "slowDisk" && member !== undefined) member.disk.slowness = 1;
  else if (fault.type === "fullDisk" && member !== undefined) member.disk.isFull = false;
}

/**
 * Ends all faults for good, and starts whoever can start, but for some that are left dead for ever: never so many that
 * the rest is no majority.
 */
export function heal(world: World): void {
  const prng = new Prng(world.scenario.seed, "heal");
  const { network } = world;
  if (prng.chance(250))
    for (const member of world.members) crashMember(world, member, 100_000, "lost");
  world.phase = "healing";
  world.healedAt = world.now;
  world.prepared = [];
  for (const client of world.clients) client.waiting.length = 0;
  world.activeCuts = 0;
  network.isCalm = true;
  network.cuts.fill(0);
  network.slowness.fill(1);
  network.cloggedUntil.fill(0);
  for (let link = 0; link < network.cuts.length; link++) renewLink(network, link);
  world.trace.note(world.now, "all faults end");
  for (const member of world.members) {
    member.disk.isFull = false;
    member.disk.slowness = 1;
    member.pausedUntil = 0;
    if (member.status !== "down" && member.status !== "full") continue;
    if (prng.chance(300) && canLose(world, member.slot)) member.status = "dead";
    else scheduleStart(world, member, prng.below(slotsMax * 20_000));
  }
  healCluster(world, prng);
}
