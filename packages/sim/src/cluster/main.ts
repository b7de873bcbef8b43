import { createGraph } from "@halon/graph";
import {
  AgentCore,
  agentTickMs,
  firstSupervision,
  heardEveryMs,
  LeaderCore,
  LeaderSearch,
  LeaseRenewals,
  LogFollower,
  renewEveryMs,
  SupervisorWatch,
  lookEveryMs as searchEveryMs,
} from "@halon/node/core";
import { lookEveryMs, Site } from "@halon/service/core";
import type { World } from "../world.ts";
import { emit, renew, runAgent, runRenewals, takeForAgent } from "./agent-driver.ts";
import { beginBeats, followBeats } from "./beats.ts";
import { lookForLeader, replicaJson, resetReplica, runFollower, runSearch } from "./follower.ts";
import type { MainInput, SimHalond } from "./halond.ts";
import { connect, connectLater, leaderLinkDown, leaderLinkUp } from "./leader-link.ts";
import { acceptLink, closeEnd, peerOf, refuseLink, type SimLink } from "./links.ts";
import {
  type CallAnswer,
  type Envelope,
  failCall,
  type Packet,
  send,
  sendPacket,
  takeCall,
} from "./messages.ts";
import { takeRequest } from "./operators-desk.ts";
import { adoptProcesses, runSite, takeProcessAnswer } from "./site-driver.ts";
import { beginSupervisor, endSupervisor, lookAround } from "./supervisor.ts";
import { arm, newThread } from "./threads.ts";
import {
  askMember,
  beginCoordinator,
  giveOpinion,
  runLeader,
  takeBeats,
  takeForTracker,
  takeNews,
  tickLeader,
} from "./tracker-driver.ts";
import { clusterOf, machineMs, type SimNode, saw } from "./world.ts";

/** `halond` comes up: its parts, before anything is heard of others. `process` is that of its member. */
export function startHalond(world: World, node: SimNode): SimHalond {
  node.incarnation += 1;
  node.status = "up";
  const halond = createHalond(world, node);
  node.halond = halond;
  saw(world, { type: "nodeStarted", node });
  world.trace.note(world.now, `${node.name} starts, incarnation ${node.incarnation}`);
  for (const instance of adoptProcesses(world, halond))
    saw(world, { type: "adopted", node, instance });
  beginSupervisor(world, halond, null);
  arm(world, halond, "tick", agentTickMs);
  arm(world, halond, "renew", renewEveryMs);
  arm(world, halond, "look", lookEveryMs);
  if (halond.tracker !== null) {
    arm(world, halond, "tellHeard", heardEveryMs);
    beginCoordinator(world, halond, halond.tracker);
  } else arm(world, halond, "search", 0);
  beginBeats(world, halond);
  return halond;
}

function createHalond(world: World, node: SimNode): SimHalond {
  const { incarnation, name } = node;
  const replica = { graph: createGraph(), index: 0, epoch: 0 };
  const site = new Site(
    { node: name, checkConfig: (_manifest, config) => ({ type: "valid", config }) },
    machineMs(world, node),
  );
  const agent = new AgentCore(
    { name, incarnation },
    {
      describe: () => describe(node),
      inventory: () => ({ instances: site.inventory(), parts: [] }),
      hasBlob: () => true,
    },
  );
  const halond: SimHalond = {
    ...newThread(node, "main"),
    incarnation,
    startedUs: world.now,
    emit,
    disconnected: (_world, own) => runAgent(world, own, own.agent.disconnected()),
    agent,
    agentWork: [],
    isAgentRunning: false,
    renewals: new LeaseRenewals(),
    acquiring: new Map(),
    site,
    tracker: node.role === "tracking" ? createTracker(world, node) : null,
    satellite:
      node.role === "satellite"
        ? { search: new LeaderSearch(), follower: new LogFollower() }
        : null,
    replica,
    leaderLink: {
      address: null,
      link: null,
      attempt: 0,
      upAtUs: 0,
      peer: undefined,
      lost: undefined,
    },
    links: new Map(),
    calls: new Map(),
    beats: {
      targets: [],
      known: new Map(),
      last: new Map(),
      fresh: [],
      turnedAtMs: 0,
      lateAtMs: Number.NEGATIVE_INFINITY,
      observers: new Map(),
    },
    supervisor: {
      isAlive: true,
      starts: 0,
      looks: 0,
      watch: new SupervisorWatch(),
      watched: new Map(),
    },
  };
  return halond;
}

/** Data of NodeJoined. */
function describe({ name, address, role, incarnation, labels }: SimNode) {
  return {
    node: name,
    address,
    hostname: `host-of-${name}`,
    role,
    incarnation,
    labels,
    version: "1.0.0",
  };
}

function createTracker(world: World, node: SimNode): SimHalond["tracker"] {
  const { clusterId, nodes } = clusterOf(world);
  const tracking = nodes.filter(({ role }) => role === "tracking").map(({ name }) => name);
  const own = (): SimHalond => {
    if (node.halond === null) throw new Error(`${node.name} does not run`);
    return node.halond;
  };
  const core = new LeaderCore(
    { name: node.name, clusterId, trackingNodes: new Set(tracking) },
    {
      view: () => own().replica.graph,
      index: () => own().replica.index,
      linked: () => [...own().links.keys()].flatMap((slot) => nodes[slot]?.name ?? []),
      lastBeat: (name) => own().beats.last.get(name),
      observers: () => own().beats.observers,
      owner: () => own().tracker?.owner ?? null,
      lostLeader: () => own().leaderLink.lost,
    },
  );
  return {
    core,
    waiting: [],
    asked: null,
    owner: null,
    supervision: firstSupervision,
    coordinatorStartedMs: 0,
    operators: new Map(),
  };
}

/** The main thread takes one of the things that wait for it. */
export function takeMain(world: World, halond: SimHalond, input: MainInput): void {
  const { tracker, site, node } = halond;
  switch (input.type) {
    case "due":
      onDue(world, halond, input.key);
      return;
    case "news":
      if (tracker !== null) takeNews(world, halond, tracker, input.news);
      return;
    case "linkAsked":
      onLinkAsked(world, halond, input.link);
      return;
    case "linkUp":
      onLinkUp(world, halond, input.link);
      return;
    case "linkRefused":
      world.trace.note(world.now, `${node.name} is refused a link: ${input.reason}`);
      if (halond.leaderLink.link === input.link) connectLater(world, halond);
      return;
    case "linkDown":
      onLinkDown(world, halond, input.link, input.reason);
      return;
    case "frame":
      takeEnvelope(world, halond, peerOf(input.link, node.slot), JSON.parse(input.text));
      return;
    case "local":
      takeEnvelope(world, halond, node.slot, input.envelope);
      return;
    case "packet":
      takePacket(world, halond, input.from, JSON.parse(input.text));
      return;
    case "heard":
      runSite(world, halond, site.heard(input.instance, input.event, machineMs(world, node)));
      return;
    case "answers":
      takeProcessAnswer(world, halond, input.ref, input.answer);
      return;
    case "asked":
      takeRequest(world, halond, input.request);
      return;
    case "late":
      tracker?.core.late(input.ms, machineMs(world, node));
      return;
    case "supervisorEnds":
      endSupervisor(world, halond);
      return;
  }
}

function onDue(world: World, halond: SimHalond, key: string): void {
  const { agent, site, renewals, tracker, satellite } = halond;
  const now = machineMs(world, halond.node);
  switch (key) {
    case "tick":
      arm(world, halond, "tick", agentTickMs);
      runAgent(world, halond, agent.tick(now));
      return;
    case "renew":
      arm(world, halond, "renew", renewEveryMs);
      renew(world, halond);
      return;
    case "renewSoon":
      renew(world, halond);
      return;
    case "look":
      arm(world, halond, "look", lookEveryMs);
      takeBeats(world, halond);
      lookAround(world, halond);
      return;
    case "supervisor":
      if (!halond.supervisor.isAlive) beginSupervisor(world, halond, null);
      return;
    case "beats":
      followBeats(world, halond);
      return;
    case "connect":
      connect(world, halond);
      return;
    case "search":
      arm(world, halond, "search", searchEveryMs);
      if (satellite !== null) lookForLeader(world, halond, satellite);
      return;
    case "fetch": {
      const isLinked = halond.leaderLink.peer !== undefined;
      if (satellite !== null) runFollower(world, halond, satellite.follower.due(isLinked));
      return;
    }
    case "agent:attach":
      runAgent(world, halond, agent.due("attach", now));
      return;
  }
  if (tracker !== null && onTrackerDue(world, halond, tracker, key)) return;
  const [kind] = key.split(":", 1);
  const rest = key.slice((kind ?? "").length + 1);
  if (kind === "site") runSite(world, halond, site.due(rest, now));
  else if (kind === "lease") runRenewals(world, halond, renewals.due(rest));
  else if (kind === "call") endCall(world, halond, Number(rest), tooLate);
}

const tooLate: CallAnswer = {
  type: "refused",
  refusal: { code: "HAL_TIMEOUT", message: "no answer came in time" },
};

function onTrackerDue(
  world: World,
  halond: SimHalond,
  tracker: NonNullable<SimHalond["tracker"]>,
  key: string,
): boolean {
  switch (key) {
    case "leader":
      tickLeader(world, halond, tracker);
      return true;
    case "tellHeard":
      arm(world, halond, "tellHeard", heardEveryMs);
      runLeader(world, halond, tracker, tracker.core.tellHeard());
      return true;
    case "coordinator":
      beginCoordinator(world, halond, tracker);
      return true;
    case "askMember":
      askMember(world, halond, tracker);
      return true;
    default:
      return false;
  }
}

function onLinkAsked(world: World, halond: SimHalond, link: SimLink): void {
  const { node, tracker, links } = halond;
  const peer = clusterOf(world).nodes[link.from.slot];
  if (peer === undefined || link.from.halond === null) return;
  const { incarnation } = link.from.halond;
  const refusal =
    tracker === null
      ? `${node.name} is a satellite; connect to the node that leads`
      : tracker.core.refusal(peer.name, incarnation);
  if (refusal !== null) {
    refuseLink(world, link, "refused", refusal);
    return;
  }
  const before = links.get(peer.slot);
  if (before !== undefined) {
    closeEnd(world, before, node.slot, "a newer connection took its place");
    onLinkDown(world, halond, before, "a newer connection took its place");
  }
  acceptLink(world, link, halond);
  links.set(peer.slot, link);
}

function onLinkUp(world: World, halond: SimHalond, link: SimLink): void {
  const peer = leaderLinkUp(world, halond, link);
  if (peer === null) return;
  halond.links.set(peerOf(link, halond.node.slot), link);
  runAgent(world, halond, halond.agent.connected(peer));
}

function onLinkDown(world: World, halond: SimHalond, link: SimLink, reason: string): void {
  const { node, tracker, links, agent } = halond;
  const slot = peerOf(link, node.slot);
  if (links.get(slot) === link) {
    links.delete(slot);
    for (const [number, { of }] of [...halond.calls])
      if (of === slot) failCall(world, halond, number);
    const peer = clusterOf(world).nodes[slot]?.name ?? "";
    const now = machineMs(world, node);
    if (tracker !== null)
      runLeader(world, halond, tracker, tracker.core.linkDown(peer, reason, now));
  }
  if (leaderLinkDown(world, halond, link, reason)) runAgent(world, halond, agent.disconnected());
}

function takeEnvelope(world: World, halond: SimHalond, from: number, envelope: Envelope): void {
  const { tracker } = halond;
  switch (envelope.to) {
    case "agent":
      takeForAgent(world, halond, envelope.message);
      return;
    case "tracker":
      if (tracker !== null)
        takeForTracker(world, halond, tracker, {
          from,
          message: envelope.message,
          ref: envelope.ref,
        });
      return;
    case "observer":
      giveOpinion(world, halond, from, envelope);
      return;
    case "replica": {
      const answer = { type: "replica", ...replicaJson(halond) } as const;
      send(world, halond, from, { to: "caller", ref: envelope.ref, answer });
      return;
    }
    case "caller":
      endCall(world, halond, envelope.ref, envelope.answer, from);
      return;
  }
}

/** A question has its end. */
function endCall(
  world: World,
  halond: SimHalond,
  number: number,
  answer: CallAnswer,
  from = -1,
): void {
  const call = takeCall(halond, number);
  if (call === undefined) return;
  const { agent, renewals, tracker, satellite, leaderLink } = halond;
  const now = machineMs(world, halond.node);
  const { what } = call;
  switch (what.type) {
    case "attach":
      if (answer.type === "attached")
        runAgent(world, halond, agent.attached(what.ref, answer.attached, now));
      else if (answer.type === "refused")
        runAgent(world, halond, agent.notAttached(what.ref, answer.refusal));
      return;
    case "renew":
      if (answer.type === "renewed")
        runRenewals(world, halond, renewals.answered(what.ref, answer.renewed.granted, now));
      else runRenewals(world, halond, renewals.failed(what.ref));
      return;
    case "opinion": {
      const name = clusterOf(world).nodes[from]?.name;
      if (answer.type !== "opinion" || name === undefined) return;
      const { ref, about } = what;
      tracker?.core.opinion({ ref, about, from: name, ageMs: answer.ageMs }, now);
      return;
    }
    case "replica":
      if (satellite === null) return;
      if (answer.type !== "replica") {
        runFollower(world, halond, satellite.follower.notFetched());
        return;
      }
      resetReplica(world, halond, answer);
      runFollower(world, halond, satellite.follower.fetched());
      return;
    case "whoLeads": {
      if (satellite === null) return;
      const isLinked = leaderLink.peer !== undefined;
      const { search } = satellite;
      runSearch(world, halond, search.answered(what.address, null, isLinked));
    }
  }
}

function takePacket(world: World, halond: SimHalond, from: number, packet: Packet): void {
  const { node, satellite, leaderLink } = halond;
  const { ref } = packet;
  if (packet.type === "whoLeads") {
    sendPacket(world, node, from, { type: "leaderIs", ref, address: leaderAddress(halond) });
    return;
  }
  const call = takeCall(halond, ref);
  if (call?.what.type !== "whoLeads" || satellite === null) return;
  const isLinked = leaderLink.peer !== undefined;
  const { address } = call.what;
  runSearch(world, halond, satellite.search.answered(address, packet.address, isLinked));
}

/** Who leads, as far as this node knows: its own address only while the coordinator here decides. */
function leaderAddress({ node, tracker, leaderLink }: SimHalond): string | null {
  if (tracker === null) return leaderLink.address;
  if (tracker.core.leads) return node.address;
  return tracker.owner === node.address ? null : tracker.owner;
}
