import { afterEnd, type LeaderEffect, type Observation, opinionMs, tickMs } from "@halon/node/core";
import { feed } from "../feed.ts";
import { eventKind, type World } from "../world.ts";
import { runAgent } from "./agent-driver.ts";
import { lateness, opinionOf } from "./beats.ts";
import { startCoordinator } from "./coordinator.ts";
import { applyDelta } from "./follower.ts";
import { eventOf, type SimHalond, type SimTracker } from "./halond.ts";
import { followLeader } from "./leader-link.ts";
import { MemberProcess } from "./member-process.ts";
import { type CallAnswer, noteCall, send, slotOf, type TrackerMessage } from "./messages.ts";
import type { CoordinatorNews, ToCoordinator } from "./news.ts";
import { answerOperator } from "./operators-desk.ts";
import { watchSupervisors } from "./supervisor.ts";
import { arm, disarm, give } from "./threads.ts";
import { clusterOf, machineMs, type SimNode, saw, trackingOf } from "./world.ts";

/** While no coordinator runs here, the member is asked so often who leads; ms. */
const askMemberEveryMs = 100;
/** What a member is asked waits so long for what else comes; µs. */
const flushUs = 50;

/** The tracker gets a message: it is taken after the answer to the one before it. */
export function takeForTracker(
  world: World,
  halond: SimHalond,
  tracker: SimTracker,
  message: TrackerMessage,
): void {
  tracker.waiting.push(message);
  while (tracker.asked === null) {
    const next = tracker.waiting.shift();
    if (next === undefined) return;
    takeNext(world, halond, tracker, next);
  }
}

function takeNext(
  world: World,
  halond: SimHalond,
  tracker: SimTracker,
  next: TrackerMessage,
): void {
  const { core } = tracker;
  const { message } = next;
  if (message.type === "events") {
    const { node, incarnation, events } = message;
    runLeader(world, halond, tracker, core.events(node, incarnation, events));
    return;
  }
  const ref = nextRef(world);
  tracker.asked = { ref, message: next };
  const effects = message.type === "attach" ? core.attach(ref, message) : core.renew(ref, message);
  runLeader(world, halond, tracker, effects);
}

function nextRef(world: World): number {
  const cluster = clusterOf(world);
  cluster.lastNumber += 1;
  return cluster.lastNumber;
}

/** Answers the message that the tracker has been busy with. */
function answer(
  world: World,
  halond: SimHalond,
  tracker: SimTracker,
  ref: number,
  said: CallAnswer,
): void {
  const { asked } = tracker;
  if (asked?.ref !== ref) return;
  tracker.asked = null;
  const { from, ref: callerRef, message } = asked.message;
  if (said.type === "attached" && message.type === "attach") {
    const { node, incarnation } = message;
    saw(world, { type: "attached", leader: halond.node, node, incarnation });
  }
  if (callerRef !== null) send(world, halond, from, { to: "caller", ref: callerRef, answer: said });
  const next = tracker.waiting.shift();
  if (next !== undefined) takeForTrackerFirst(world, halond, tracker, next);
}

function takeForTrackerFirst(
  world: World,
  halond: SimHalond,
  tracker: SimTracker,
  next: TrackerMessage,
): void {
  takeNext(world, halond, tracker, next);
  while (tracker.asked === null) {
    const further = tracker.waiting.shift();
    if (further === undefined) return;
    takeNext(world, halond, tracker, further);
  }
}

/** Carries out what the leader's part asks for. */
export function runLeader(
  world: World,
  halond: SimHalond,
  tracker: SimTracker,
  effects: readonly LeaderEffect[],
): void {
  for (const effect of effects) if (halond.isAlive) perform(world, halond, tracker, effect);
}

function perform(world: World, halond: SimHalond, tracker: SimTracker, effect: LeaderEffect): void {
  switch (effect.type) {
    case "tell":
      send(world, halond, slotOf(world, effect.node), { to: "agent", message: effect.message });
      return;
    case "events":
    case "resend":
      toCoordinator(world, halond, effect);
      return;
    case "observe":
      observe(world, halond, effect.observation);
      return;
    case "watermark":
    case "renew": {
      if (toCoordinator(world, halond, effect)) return;
      const refusal = { code: "HAL_NO_LEADER", message: "the coordinator has ended" } as const;
      if (effect.type === "watermark")
        runLeader(world, halond, tracker, tracker.core.noWatermark(effect.ref, refusal));
      else answer(world, halond, tracker, effect.ref, { type: "refused", refusal });
      return;
    }
    case "answer": {
      const { answer: said } = effect;
      answer(
        world,
        halond,
        tracker,
        effect.ref,
        "granted" in said
          ? { type: "renewed", renewed: said }
          : { type: "attached", attached: said },
      );
      return;
    }
    case "refuse":
      answer(world, halond, tracker, effect.ref, { type: "refused", refusal: effect.refusal });
      return;
    case "askOpinions":
      for (const name of effect.of) askOpinion(world, halond, name, effect.about, effect.ref);
      return;
  }
}

/** False: there is none. */
function toCoordinator(world: World, { node }: SimHalond, message: ToCoordinator): boolean {
  if (node.coordinator === null) return false;
  give(world, node.coordinator, message);
  return true;
}

function observe(world: World, halond: SimHalond, observation: Observation): void {
  const { type, node, incarnation, reason, evidence } = observation;
  world.trace.note(world.now, `${halond.node.name} says ${type} of ${node}: ${reason}`);
  saw(world, {
    type: "observed",
    leader: halond.node,
    observation: type,
    node,
    incarnation,
    reason,
  });
  const data = { node, incarnation, reason, evidence: [...evidence] };
  toCoordinator(world, halond, { type: "observe", event: eventOf(type, data) });
}

function askOpinion(
  world: World,
  halond: SimHalond,
  name: string,
  about: string,
  ref: number,
): void {
  const of = slotOf(world, name);
  const call = { of, what: { type: "opinion", ref, about } } as const;
  const number = noteCall(world, halond, call, opinionMs);
  send(world, halond, of, { to: "observer", about, ref: number });
}

/** Somebody asks what this node can say of another. */
export function giveOpinion(
  world: World,
  halond: SimHalond,
  to: number,
  { about, ref }: { readonly about: string; readonly ref: number },
): void {
  const ageMs = opinionOf(world, halond, about);
  send(world, halond, to, { to: "caller", ref, answer: { type: "opinion", ageMs } });
}

/** The leader judges, by the beats that came in since. */
export function tickLeader(world: World, halond: SimHalond, tracker: SimTracker): void {
  if (!tracker.core.leads) return;
  arm(world, halond, "leader", tickMs);
  takeBeats(world, halond);
  const now = machineMs(world, halond.node);
  runLeader(world, halond, tracker, tracker.core.tick(lateness(world, halond), now));
}

/** The main thread takes the beats that its beat thread has heard. */
export function takeBeats(world: World, halond: SimHalond): void {
  const { beats, tracker, node } = halond;
  if (beats.fresh.length === 0) return;
  if (tracker?.core.leads === true) tracker.core.heard(beats.fresh, machineMs(world, node));
  watchSupervisors(world, halond);
  beats.fresh = [];
}

/** The coordinator of this node tells something. */
export function takeNews(
  world: World,
  halond: SimHalond,
  tracker: SimTracker,
  news: CoordinatorNews,
): void {
  const { core } = tracker;
  const { node, replica } = halond;
  const now = machineMs(world, node);
  switch (news.type) {
    case "commands":
    case "ack":
    case "gap":
      runLeader(world, halond, tracker, core.word(news));
      return;
    case "owner":
      setOwner(world, halond, tracker, news.address);
      return;
    case "following":
      replica.graph = news.graph;
      replica.index = news.index;
      replica.epoch = news.epoch;
      arm(world, halond, "beats", 0);
      return;
    case "leading":
      if (node.coordinator === null) return;
      runLeader(world, halond, tracker, core.lead(news.epoch, now));
      arm(world, halond, "leader", tickMs);
      return;
    case "record":
      applyDelta(world, halond, news.delta);
      runLeader(world, halond, tracker, core.record(news.delta));
      return;
    case "reply":
      answerOperator(world, halond, tracker, news);
      return;
    case "granted": {
      const renewed = { granted: news.instances };
      answer(world, halond, tracker, news.ref, { type: "renewed", renewed });
      return;
    }
    case "watermarkIs":
      runLeader(world, halond, tracker, core.watermark(news.ref, news.sequence, now));
      return;
    case "failed":
      if (tracker.operators.has(news.ref))
        answerOperator(world, halond, tracker, {
          ref: news.ref,
          reply: { type: "refused", error: news.error },
        });
      else refuse(world, halond, tracker, news);
      return;
    case "ended":
      onEnded(world, halond, tracker, news);
      return;
  }
}

function refuse(
  world: World,
  halond: SimHalond,
  tracker: SimTracker,
  { ref, error }: Extract<CoordinatorNews, { readonly type: "failed" }>,
): void {
  const { core, asked } = tracker;
  if (asked?.ref !== ref) return;
  if (asked.message.message.type === "attach")
    runLeader(world, halond, tracker, core.noWatermark(ref, error));
  else answer(world, halond, tracker, ref, { type: "refused", refusal: error });
}

/** The coordinator has ended: nobody is served, and after a while another one is started. */
function onEnded(
  world: World,
  halond: SimHalond,
  tracker: SimTracker,
  { code, reason }: Extract<CoordinatorNews, { readonly type: "ended" }>,
): void {
  const { node } = halond;
  world.trace.note(world.now, `the coordinator of ${node.name} has ended: ${reason}`);
  const now = machineMs(world, node);
  const ranMs = now - tracker.coordinatorStartedMs;
  const end = code === "HAL_NO_LEADER" ? "lost" : "crashed";
  const [supervision, next] = afterEnd(tracker.supervision, end, { now, ranMs });
  tracker.supervision = supervision;
  tracker.ends += 1;
  tracker.lastEnd = reason;
  if (next.handsOver) handOver(world, node);
  runLeader(world, halond, tracker, tracker.core.rest());
  disarm(halond, "leader");
  failWaiting(world, halond, tracker);
  if (tracker.owner === node.address) setOwner(world, halond, tracker, null);
  arm(world, halond, "askMember", askMemberEveryMs);
  arm(world, halond, "coordinator", next.waitMs);
}

/** Asks the agency, through this node's own member, for another leader. */
function handOver(world: World, node: SimNode): void {
  const others = trackingOf(world, node).filter((other) => other !== node && other.status === "up");
  const [other] = others;
  const { member } = node;
  if (other === undefined || member.process === null) return;
  const request = { type: "transfer", to: other.member.id } as const;
  feed(world, member, { type: "request", id: -1, request });
  if (member.isFlushDue) return;
  member.isFlushDue = true;
  world.queue.push(world.now + flushUs, eventKind.flush, node.slot, member.incarnation, null);
}

/** What the coordinator was asked has no answer any more. */
function failWaiting(world: World, halond: SimHalond, tracker: SimTracker): void {
  const message = "The coordinator has ended before it answered.";
  const error = { code: "HAL_NO_LEADER", message } as const;
  for (const ref of [...tracker.operators.keys()])
    answerOperator(world, halond, tracker, { ref, reply: { type: "refused", error } });
  const { asked } = tracker;
  if (asked !== null) refuse(world, halond, tracker, { type: "failed", ref: asked.ref, error });
}

/** The next coordinator of this node is started. */
export function beginCoordinator(world: World, halond: SimHalond, tracker: SimTracker): void {
  const { node } = halond;
  const { process } = node.member;
  if (!(process instanceof MemberProcess)) return;
  tracker.coordinatorStartedMs = machineMs(world, node);
  startCoordinator(world, node, process);
}

/** A node that was deposed must not wait for its next coordinator to hear of the leader: its services go on. */
export function askMember(world: World, halond: SimHalond, tracker: SimTracker): void {
  const { node } = halond;
  if (node.coordinator !== null) return;
  arm(world, halond, "askMember", askMemberEveryMs);
  const leaderId = node.member.process?.raft.leaderId ?? null;
  const slot = leaderId === null ? undefined : world.slots.get(leaderId);
  const address = slot === undefined ? null : (world.cluster?.nodes[slot]?.address ?? null);
  if (address !== null) setOwner(world, halond, tracker, address);
}

/** Links and events go to the node that leads; while nobody does, they stay where they are. */
function setOwner(
  world: World,
  halond: SimHalond,
  tracker: SimTracker,
  address: string | null,
): void {
  if (address === tracker.owner) return;
  tracker.owner = address;
  if (address === null) return;
  const { node, agent, leaderLink } = halond;
  if (address !== node.address) {
    if (leaderLink.address !== address) runAgent(world, halond, agent.disconnected());
    followLeader(world, halond, address);
    return;
  }
  followLeader(world, halond, null);
  runAgent(world, halond, agent.connected(node.name));
}
