import type { World } from "../world.ts";
import { runAgent, runRenewals, takeForAgent } from "./agent-driver.ts";
import { replicaText, resetReplica, runFollower, runSearch } from "./follower.ts";
import type { SimHalond } from "./halond.ts";
import { leaderLinkDown, leaderLinkUp } from "./leader-link.ts";
import { acceptLink, closeEnd, peerOf, refuseLink, type SimLink } from "./links.ts";
import {
  type CallAnswer,
  type Envelope,
  failCall,
  type Packet,
  sendPacket,
  sendText,
  takeCall,
} from "./messages.ts";
import { giveOpinion, runLeader, takeForTracker } from "./tracker-driver.ts";
import { clusterOf, machineMs } from "./world.ts";

/** Another node wants a link. */
export function onLinkAsked(world: World, halond: SimHalond, link: SimLink): void {
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

/** A link that this node opened is there. */
export function onLinkUp(world: World, halond: SimHalond, link: SimLink): void {
  const peer = leaderLinkUp(world, halond, link);
  if (peer === null) return;
  halond.links.set(peerOf(link, halond.node.slot), link);
  runAgent(world, halond, halond.agent.connected(peer));
}

/** A link has ended. */
export function onLinkDown(world: World, halond: SimHalond, link: SimLink, reason: string): void {
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

/** A part of this node gets what another node, or this one, has sent it. */
export function takeEnvelope(
  world: World,
  halond: SimHalond,
  from: number,
  envelope: Envelope,
): void {
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
      sendText(world, halond, from, replicaText(halond, envelope.ref));
      return;
    }
    case "caller":
      endCall(world, halond, envelope.ref, envelope.answer, from);
      return;
  }
}

/** A question has its end. */
export function endCall(
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

/** Something has come without a link. */
export function takePacket(world: World, halond: SimHalond, from: number, packet: Packet): void {
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
export function leaderAddress({ node, tracker, leaderLink }: SimHalond): string | null {
  if (tracker === null) return leaderLink.address;
  if (tracker.core.leads) return node.address;
  return tracker.owner === node.address ? null : tracker.owner;
}
