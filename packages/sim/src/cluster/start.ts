import { firstDue } from "../jobs/job-operators.ts";
import { Prng } from "../prng.ts";
import type { Scenario } from "../scenario.ts";
import { eventKind, type SimMember, type World } from "../world.ts";
import { onBeat, onBeatTurn } from "./beats.ts";
import type { BeginningInput, SimBeginning } from "./beginning.ts";
import { takeBeginning } from "./bootstrap.ts";
import { isBootstrapped } from "./bootstrap-crash.ts";
import { SetupDisk } from "./bootstrap-disk.ts";
import { onHttp } from "./bootstrap-http.ts";
import { beginningEnds, bootNodes, relaunch, startNode } from "./bootstrap-start.ts";
import { endHalond } from "./control.ts";
import { afterMemberStep, takeCoordinator } from "./coordinator.ts";
import type { ClusterRules } from "./happening.ts";
import { onFrame, onLink } from "./links.ts";
import { startHalond, takeMain } from "./main.ts";
import { MemberProcess } from "./member-process.ts";
import { onAnswered, onAsked } from "./operators-desk.ts";
import { type ServicePort, ServiceTable } from "./services.ts";
import { give, onTimer, takeTurn } from "./threads.ts";
import {
  type ClusterHooks,
  type ClusterWorld,
  machineMs,
  type OperatorPort,
  type SimNode,
  saw,
} from "./world.ts";

/** What a run's cluster is given besides its scenario. */
export interface ClusterParts {
  readonly rules: ClusterRules;
  readonly operators: OperatorPort;
  /** Rule files of the cluster; none where it is left out. */
  readonly ruleFiles?: ClusterWorld["ruleFiles"];
}

/** Nodes start within this time; µs. */
const bootUs = 100_000;

/** The cluster of a scenario that has one, before the first event. `worldOf` is asked when the run goes. */
export function createCluster(
  { settings, seed }: Scenario,
  members: readonly SimMember[],
  parts: ClusterParts,
  worldOf: () => World,
): ClusterWorld | null {
  const { cluster } = settings;
  if (cluster === undefined) return null;
  const nodes: SimNode[] = [];
  for (let slot = 0; slot < settings.members + cluster.satellites; slot++) {
    const member = members[slot];
    if (member === undefined) throw new Error(`there is no room for ${slot + 1} nodes`);
    const labels = Object.fromEntries(
      (cluster.labels[slot] ?? []).map((label) => label.split("=", 2)),
    );
    nodes.push(
      createNode(seed, member, slot < settings.members ? "tracking" : "satellite", labels),
    );
  }
  return {
    settings: cluster,
    clusterId: "c-1",
    nodes,
    byName: new Map(nodes.map((node) => [node.name, node])),
    byAddress: new Map(nodes.map((node) => [node.address, node])),
    asked: new Map(),
    links: new Set(),
    services: new ServiceTable(portOf(worldOf, nodes), cluster.services, seed),
    rules: parts.rules,
    operators: parts.operators,
    ruleFiles: [...(parts.ruleFiles ?? [])],
    hooks,
    lastNumber: 0,
  };
}

function createNode(
  seed: number,
  member: SimMember,
  role: SimNode["role"],
  labels: Readonly<Record<string, string>>,
): SimNode {
  const { slot } = member;
  const name = `node-${slot + 1}`;
  const prng = new Prng(seed, "node", slot);
  return {
    slot,
    name,
    address: `${name}:7411`,
    role,
    labels,
    member,
    status: "down",
    isLost: false,
    resumesAt: 0,
    incarnation: 0,
    clockBaseMs: prng.between(1_000, 1_000_000),
    wallAheadMs: 0,
    lateUs: 0,
    prng,
    startOptions: {},
    setupDisk: new SetupDisk(),
    dataDir: "/var/lib/halon",
    setup: null,
    refusal: null,
    beginning: null,
    halond: null,
    coordinator: null,
  };
}

function portOf(worldOf: () => World, nodes: readonly SimNode[]): ServicePort {
  const nodeOf = (slot: number): SimNode => {
    const node = nodes[slot];
    if (node === undefined) throw new Error(`there is no node at ${slot}`);
    return node;
  };
  return {
    now: () => worldOf().now,
    schedule: (atUs, slot, turn) => worldOf().queue.push(atUs, eventKind.service, slot, 0, turn),
    machineMs: (slot) => machineMs(worldOf(), nodeOf(slot)),
    clockRate: (slot) => nodeOf(slot).member.clockRate,
    hear: (slot, instance, event) => {
      const { halond } = nodeOf(slot);
      if (halond !== null) give(worldOf(), halond, { type: "heard", instance, event });
    },
    answer: (slot, ref, answer) => {
      const { halond } = nodeOf(slot);
      if (halond !== null) give(worldOf(), halond, { type: "answers", ref, answer });
    },
    launched: (process) =>
      saw(worldOf(), { type: "launched", node: nodeOf(process.slot), process }),
    ended: (process, end) =>
      saw(worldOf(), { type: "ended", node: nodeOf(process.slot), process, end }),
  };
}

const hooks: ClusterHooks = {
  boot(world) {
    const { cluster, queue } = world;
    if (isBootstrapped(world)) {
      bootNodes(world);
      return;
    }
    for (const { role, slot, prng } of cluster?.nodes ?? [])
      if (role === "satellite") queue.push(prng.below(bootUs), eventKind.node, slot, 0, null);
    if (cluster?.settings.jobs !== undefined) queue.push(0, eventKind.wish, 0, firstDue, null);
  },
  memberStarted(world, { slot }) {
    const node = world.cluster?.nodes[slot];
    if (node === undefined) return;
    if (isBootstrapped(world)) relaunch(world, node);
    startHalond(world, node);
  },
  memberEnded(world, { slot, status }) {
    const node = world.cluster?.nodes[slot];
    if (node === undefined) return;
    endHalond(world, node);
    node.status = status === "dead" || status === "removed" ? "dead" : "down";
  },
  memberStepped(world, { slot, process }) {
    const node = world.cluster?.nodes[slot];
    if (node !== undefined && process instanceof MemberProcess)
      afterMemberStep(world, node, process);
  },
  dispatch,
};

/** The event at hand is one of the cluster's. */
function dispatch(world: World): void {
  const { kind, a, b, payload } = world.queue;
  const { cluster, queue } = world;
  if (cluster === null) return;
  if (kind === eventKind.wish) {
    cluster.operators.due(world, a, b);
    return;
  }
  if (kind === eventKind.answered) {
    if (payload !== null && "answer" in payload) onAnswered(world, payload);
    return;
  }
  const node = cluster.nodes[a];
  if (node === undefined) return;
  const { pausedUntil } = node.member;
  if (pausedUntil > world.now && kind !== eventKind.link) {
    // A paused machine gets what happens to it when the pause ends, in the same order; keepers go on first.
    if (node.resumesAt !== pausedUntil)
      queue.push(pausedUntil, eventKind.service, node.slot, 0, null);
    node.resumesAt = pausedUntil;
    queue.push(pausedUntil, kind, a, b, payload);
    return;
  }
  dispatchTo(world, node, kind);
}

function takeBeginningTurn(world: World, beginning: SimBeginning): void {
  takeTurn(world, beginning, (_, own, input: BeginningInput) =>
    takeBeginning(world, own, input, beginningEnds),
  );
}

function dispatchTo(world: World, node: SimNode, kind: number): void {
  const { b, payload } = world.queue;
  switch (kind) {
    case eventKind.turn:
      if (payload === null || !("inbox" in payload)) return;
      world.trace.add(node.slot);
      world.trace.add(payload.inbox.length);
      if (payload === node.halond) takeTurn(world, node.halond, takeMain);
      else if (payload === node.beginning) takeBeginningTurn(world, node.beginning);
      else if (payload === node.coordinator) takeTurn(world, node.coordinator, takeCoordinator);
      return;
    case eventKind.timer:
      if (payload !== null && "thread" in payload) onTimer(world, payload);
      return;
    case eventKind.frame:
      if (payload === null) return;
      if ("link" in payload && "text" in payload) onFrame(world, payload);
      else if ("packet" in payload && node.halond !== null)
        give(world, node.halond, { type: "packet", from: b, text: payload.packet });
      return;
    case eventKind.link:
      if (payload !== null && "link" in payload && "reason" in payload)
        onLink(world, node.slot, payload);
      return;
    case eventKind.beat:
      if (node.halond === null) return;
      if (payload === null) {
        if (node.halond.incarnation === b) onBeatTurn(world, node.halond);
      } else if ("counters" in payload) onBeat(world, node.halond, payload);
      return;
    case eventKind.service:
      if (payload === null) world.cluster?.services.resumed(node.slot);
      else if ("pid" in payload) world.cluster?.services.turn(payload);
      return;
    case eventKind.asked:
      if (payload !== null && "event" in payload) onAsked(world, node, payload);
      return;
    case eventKind.node:
      if (payload !== null) {
        if ("http" in payload) onHttp(world, node, payload);
      } else if (isBootstrapped(world)) {
        if (node.status === "down" && node.incarnation === b) startNode(world, node);
      } else if (node.role === "satellite" && node.status === "down" && node.incarnation === b)
        startHalond(world, node);
      return;
  }
}
