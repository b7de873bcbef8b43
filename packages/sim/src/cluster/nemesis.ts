import { scheduleStart } from "../lifecycle.ts";
import { cutLinks } from "../network.ts";
import type { Prng } from "../prng.ts";
import type { ClusterFault, Fault, InstanceTarget, NodeTarget } from "../scenario.ts";
import { eventKind, type World } from "../world.ts";
import { hasBeginners, isInside, startLater } from "./bootstrap-crash.ts";
import {
  crashCoordinator,
  crashNode,
  crashSupervisor,
  decidingNode,
  endHangs,
  hangCoordinator,
  loseMachine,
  pauseNode,
  resetLinks,
} from "./control.ts";
import type { SimProcess } from "./processes.ts";
import { isWish } from "./wishes.ts";
import { type ClusterWorld, clusterOf, type SimNode } from "./world.ts";

/** What the nemesis of the world lends to faults that last. */
export interface Holds {
  /** Cuts these links until the fault ends. */
  links(index: number, forUs: number, links: readonly number[]): void;
  /** Remembers the slot until the fault ends. */
  slot(index: number, forUs: number, slot: number): void;
}

/** A node that must be there after the faults starts so long after them; µs. */
const startAgainUs = 200_000;

type NodeFault = Extract<ClusterFault, { readonly node: NodeTarget }>;
type InstanceFault = Extract<ClusterFault, { readonly instance: InstanceTarget }>;

/** Begins a fault of a cluster, or has an operator ask for something. False: it is a fault of members. */
export function onClusterFault(world: World, fault: Fault, index: number, holds: Holds): boolean {
  const { cluster } = world;
  if (cluster === null) return false;
  if (isWish(fault)) {
    cluster.operators.due(world, index, 0);
    return true;
  }
  if ("node" in fault) onNodeFault(world, fault, index, holds);
  else if ("instance" in fault) onInstanceFault(world, cluster, fault);
  else if ("service" in fault) {
    const name = cluster.settings.services[fault.service]?.name;
    world.trace.note(world.now, `${fault.type} of the next ${fault.times} starts of ${name}`);
    if (name !== undefined) cluster.services.arm(name, fault.type, fault.times);
  } else if (fault.type === "crashNodes") crashNodes(world, cluster, fault);
  else return false;
  return true;
}

function onNodeFault(world: World, fault: NodeFault, index: number, holds: Holds): void {
  const node = nodeOf(world, fault.node);
  if (node === null) return;
  world.trace.add(node.slot);
  world.trace.note(world.now, `${fault.type} of ${node.name}`);
  switch (fault.type) {
    case "crashNode":
      crashNode(world, node, fault.forUs, "prefix");
      return;
    case "loseMachine":
      loseMachine(world, node, fault.forUs, "lost");
      return;
    case "pauseNode":
      pauseNode(world, node, fault.forUs);
      return;
    case "crashCoordinator":
      crashCoordinator(world, node);
      return;
    case "hangCoordinator":
      hangCoordinator(world, node, fault.forUs);
      return;
    case "crashSupervisor":
      crashSupervisor(world, node);
      return;
    case "jumpWall":
      node.wallAheadMs += fault.byMs;
      return;
    case "slowNode":
      node.lateUs = fault.byUs;
      holds.slot(index, fault.forUs, node.slot);
      return;
    case "cutNode": {
      const shape = fault.shape === "both" ? "one" : fault.shape;
      const slots = clusterOf(world).nodes.map(({ slot }) => slot);
      holds.links(index, fault.forUs, cutLinks(shape, slots, node.slot));
      return;
    }
    case "resetLinks":
      resetLinks(world, node);
      return;
  }
}

/** Ends a fault of a cluster that lasts. */
export function onClusterFaultEnd(world: World, fault: Fault, slot: number | undefined): void {
  const node = slot === undefined ? undefined : world.cluster?.nodes[slot];
  if (fault.type === "slowNode" && node !== undefined) node.lateUs = 0;
}

function onInstanceFault(world: World, { services }: ClusterWorld, fault: InstanceFault): void {
  const process = processOf(services, fault.instance);
  if (process === null) return;
  world.trace.add(process.pid);
  world.trace.note(world.now, `${fault.type} of ${process.instance}`);
  const { plight } = process;
  switch (fault.type) {
    case "crashService":
      // Nobody is there to end what it leaves.
      if (fault.instance.of === "orphan") plight.forks = true;
      services.crash(process, fault.code);
      return;
    case "hangService":
      plight.hangsSinceUs ??= world.now;
      return;
    case "failCheck":
      plight.failsChecksUntilUs = world.now + fault.forUs;
      return;
    case "trouble":
      services.trouble(process);
      return;
    case "exitService":
      services.exit(process);
      return;
    case "leak":
      plight.leaksSinceUs ??= world.now;
      return;
  }
}

function crashNodes(
  world: World,
  { nodes }: ClusterWorld,
  fault: ClusterFault & { readonly type: "crashNodes" },
): void {
  const up = nodes.filter(({ status }) => status === "up");
  const count = Math.ceil((up.length * fault.share) / 1_000);
  // The last are satellites, so that some who can decide stay while there are.
  for (const node of up.slice(up.length - count)) crashNode(world, node, fault.forUs, "prefix");
}

function nodeOf(world: World, { role, pick }: NodeTarget): SimNode | null {
  const up = clusterOf(world).nodes.filter(({ status }) => status === "up" || status === "begins");
  const leader = decidingNode(world) ?? masterOf(world);
  const fitting =
    role === "leader" && leader !== null
      ? [leader]
      : up.filter((node) => role === "any" || role === "leader" || node.role === role);
  return fitting[pick % Math.max(1, fitting.length)] ?? null;
}

/** While the cluster begins: who makes its configuration. */
function masterOf(world: World): SimNode | null {
  const { nodes } = clusterOf(world);
  return nodes.find(({ beginning }) => beginning?.part.type === "master") ?? null;
}

function processOf(
  services: ClusterWorld["services"],
  { of, pick }: InstanceTarget,
): SimProcess | null {
  const running = [...services.processes.values()].filter(({ state }) => state === "running");
  const fitting = running.filter(
    (process) =>
      of === "any" || (of === "exclusive" ? process.token !== null : services.isOrphan(process)),
  );
  return fitting[pick % Math.max(1, fitting.length)] ?? null;
}

function startAgain(world: World, node: SimNode): void {
  const { member, setupDisk } = node;
  const isTracking = node.role === "tracking" && isInside(setupDisk);
  if (isTracking && member.status === "dead") {
    member.status = "down";
    node.status = "down";
    scheduleStart(world, member, startAgainUs);
  } else if (!isTracking && node.status === "down") startLater(world, node, startAgainUs);
}

/** Ends all faults of the cluster; called when those of members have ended, and their dead are known. */
export function healCluster(world: World, prng: Prng): void {
  const { cluster } = world;
  if (cluster === null) return;
  const isBeginning = hasBeginners(world);
  for (const node of cluster.nodes) {
    node.lateUs = 0;
    // What has happened to a paused machine comes to it at the end of its pause, its keepers' turns as well.
    if (node.status === "up" && node.resumesAt > world.now)
      node.member.pausedUntil = node.resumesAt;
    endHangs(world, node);
    if (isBeginning) startAgain(world, node);
    else if (node.role === "tracking") {
      if (node.member.status === "dead") node.status = "dead";
    } else if (node.status === "down") {
      if (prng.chance(300)) node.status = "dead";
      else
        world.queue.push(
          world.now + prng.below(1_000_000),
          eventKind.node,
          node.slot,
          node.incarnation,
          null,
        );
    }
  }
  cluster.services.calm();
  cluster.operators.due(world, 0, 2);
}
