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
  PartsCore,
  renewEveryMs,
  SupervisorWatch,
  lookEveryMs as searchEveryMs,
} from "@halon/node/core";
import { lookEveryMs, Site } from "@halon/service/core";
import type { World } from "../world.ts";
import { emit, renew, runAgent, runRenewals } from "./agent-driver.ts";
import { beginBeats, followBeats } from "./beats.ts";
import { answerHello } from "./bootstrap-hello.ts";
import { crashNode } from "./control.ts";
import {
  endCall,
  onLinkAsked,
  onLinkDown,
  onLinkUp,
  takeEnvelope,
  takePacket,
} from "./exchange.ts";
import { envelopeOf, lookForLeader, runFollower } from "./follower.ts";
import type { MainInput, SimHalond } from "./halond.ts";
import { connect, connectLater } from "./leader-link.ts";
import { peerOf } from "./links.ts";
import type { CallAnswer } from "./messages.ts";
import { takeRequest } from "./operators-desk.ts";
import { beginParts, lookAtParts } from "./parts.ts";
import { adoptProcesses, runSite, takeProcessAnswer } from "./site-driver.ts";
import { beginSupervisor, endSupervisor, lookAround } from "./supervisor.ts";
import { arm, newThread } from "./threads.ts";
import {
  askMember,
  beginCoordinator,
  runLeader,
  takeBeats,
  takeNews,
  tickLeader,
} from "./tracker-driver.ts";
import { clusterOf, machineMs, type SimNode, saw, trackingOf } from "./world.ts";

/** `halond` comes up: its parts, before anything is heard of others. `process` is that of its member. */
export function startHalond(world: World, node: SimNode): SimHalond {
  node.incarnation = node.setup?.incarnation ?? node.incarnation + 1;
  node.status = "up";
  node.isLost = false;
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
  beginParts(world, halond);
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
  const parts = new PartsCore(name, incarnation);
  const agent = new AgentCore(
    { name, incarnation },
    {
      describe: () => describe(node),
      inventory: () => ({ instances: site.inventory(), parts: parts.inventory() }),
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
    parts,
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
      mainTurns: 0,
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
  const tracking = trackingOf(world, node).map(({ name }) => name);
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
    ends: 0,
    toldEnds: -1,
    lastEnd: null,
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
      takeEnvelope(world, halond, peerOf(input.link, node.slot), envelopeOf(input.text));
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
    case "http":
      answerHello(world, halond, input.request);
      return;
    case "late":
      tracker?.core.late(input.ms, machineMs(world, node));
      return;
    case "supervisorEnds":
      endSupervisor(world, halond);
      return;
    case "leaves":
      runAgent(world, halond, halond.agent.leave(machineMs(world, node)));
      runSite(world, halond, site.shutdown(false, machineMs(world, node)));
      arm(world, halond, `gone:${input.forUs}`, goneMs);
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
    case "parts":
      lookAtParts(world, halond);
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
  else if (kind === "gone") endWhenEmpty(world, halond, Number(rest));
}

/** A node that is stopped ends when nothing runs on it any more. */
function endWhenEmpty(world: World, halond: SimHalond, forUs: number): void {
  const { node } = halond;
  const { processes } = clusterOf(world).services;
  const isEmpty = ![...processes.values()].some(({ slot }) => slot === node.slot);
  if (isEmpty) crashNode(world, node, forUs, "prefix");
  else arm(world, halond, `gone:${forUs}`, goneMs);
}

/** A node that is stopped looks so often whether all of it has ended; ms. */
const goneMs = 100;

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
