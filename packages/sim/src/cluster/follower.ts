import { fromJSON, type GraphJson, toJSON } from "@halon/graph";
import type { FollowEffect, ReplicaDelta, SearchEffect } from "@halon/node/core";
import type { Json } from "@halon/protocol";
import type { World } from "../world.ts";
import { followBeatsSoon } from "./beats.ts";
import type { SimHalond, SimSatellite } from "./halond.ts";
import { followLeader } from "./leader-link.ts";
import { failCall, noteCall, send, sendPacket, slotAt } from "./messages.ts";
import { arm } from "./threads.ts";
import { clusterOf, saw, trackingOf } from "./world.ts";

const fetchTimeoutMs = 10_000;
const askTimeoutMs = 1_000;

/** The replica takes what a record did. False: one before it is missing. */
export function applyDelta(world: World, halond: SimHalond, delta: ReplicaDelta): boolean {
  const { replica, node } = halond;
  if (delta.index <= replica.index) return true;
  if (delta.index !== replica.index + 1) return false;
  const { changes, revision, index, epoch } = delta;
  if (changes.length > 0) replica.graph.apply({ revision, changes });
  replica.index = index;
  replica.epoch = epoch;
  if (changes.some(isOfNodes)) followBeatsSoon(world, halond);
  saw(world, { type: "replicated", node, index });
  return true;
}

/** Whether the change is about nodes, or about who watches whom. */
function isOfNodes(change: ReplicaDelta["changes"][number]): boolean {
  const key = "key" in change ? change.key : change.relation.from;
  return key.startsWith("Node/") || key.startsWith("Supervisor/");
}

/** The replica as it is sent to satellites. */
export function replicaJson({ replica }: SimHalond) {
  const { index, epoch, graph } = replica;
  return { index, epoch, graph: toJSON(graph) };
}

/** The whole graph of a leader takes the place of what is here. */
export function resetReplica(
  world: World,
  halond: SimHalond,
  {
    index,
    epoch,
    graph,
  }: { readonly index: number; readonly epoch: number; readonly graph: Json | GraphJson },
): void {
  const { replica } = halond;
  replica.graph = fromJSON(graph);
  replica.index = index;
  replica.epoch = epoch;
  followBeatsSoon(world, halond);
}

/** Carries out what the follower of a satellite asks for. */
export function runFollower(
  world: World,
  halond: SimHalond,
  effects: readonly FollowEffect[],
): void {
  const { satellite, leaderLink } = halond;
  if (satellite === null) return;
  for (const effect of effects)
    switch (effect.type) {
      case "apply":
        if (!applyDelta(world, halond, effect.delta)) {
          const isLinked = leaderLink.peer !== undefined;
          runFollower(world, halond, satellite.follower.missed(effect.delta, isLinked));
        }
        break;
      case "fetch":
        fetchReplica(world, halond);
        break;
      case "arm":
        arm(world, halond, "fetch", effect.inMs);
        break;
    }
}

function fetchReplica(world: World, halond: SimHalond): void {
  const { peer } = halond.leaderLink;
  const of = clusterOf(world).byName.get(peer ?? "")?.slot ?? -1;
  const number = noteCall(world, halond, { of, what: { type: "replica" } }, fetchTimeoutMs);
  if (!send(world, halond, of, { to: "replica", ref: number })) failCall(world, halond, number);
}

/** Every 100 ms: does it look for a leader? */
export function lookForLeader(world: World, halond: SimHalond, satellite: SimSatellite): void {
  const { leaderLink, replica, node } = halond;
  const tracking = trackingOf(world, node);
  const known = replica.graph.list("Node", { role: "tracking" });
  const candidates = [
    ...tracking.filter((other) => other !== node).map(({ address }) => address),
    ...known.map(({ attributes }) => attributes.address),
  ];
  const isLinked = leaderLink.peer !== undefined;
  runSearch(world, halond, satellite.search.look(candidates, isLinked));
}

/** Carries out what the search of a satellite asks for. */
export function runSearch(world: World, halond: SimHalond, effects: readonly SearchEffect[]): void {
  for (const effect of effects)
    if (effect.type === "follow") followLeader(world, halond, effect.address);
    else {
      const { address } = effect;
      const of = slotAt(world, address);
      const what = { type: "whoLeads", address } as const;
      const number = noteCall(world, halond, { of, what }, askTimeoutMs);
      if (of >= 0) sendPacket(world, halond.node, of, { type: "whoLeads", ref: number });
    }
}
