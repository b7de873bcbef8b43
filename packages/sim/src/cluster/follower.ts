import { fromJSON, type Graph, type GraphJson, toJSON } from "@halon/graph";
import type { FollowEffect, ReplicaDelta, SearchEffect } from "@halon/node/core";
import type { Json } from "@halon/protocol";
import type { World } from "../world.ts";
import { followBeatsSoon } from "./beats.ts";
import type { SimHalond, SimSatellite } from "./halond.ts";
import { followLeader } from "./leader-link.ts";
import { type Envelope, failCall, noteCall, send, sendPacket, slotAt } from "./messages.ts";
import { parseShared } from "./shared-text.ts";
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

/** Text of each graph as of the record before which it was written: several satellites ask at once. */
const texts = new WeakMap<Graph, { readonly revision: number; readonly text: string }>();

function textOf(graph: Graph): string {
  const known = texts.get(graph);
  if (known?.revision === graph.revision) return known.text;
  const text = JSON.stringify(toJSON(graph));
  texts.set(graph, { revision: graph.revision, text });
  return text;
}

interface ReplicaHead {
  readonly ref: number;
  readonly answer: { readonly type: "replica"; readonly index: number; readonly epoch: number };
}

const replicaBegins = /^\{"to":"caller","ref":\d+,"answer":\{"type":"replica",/;
const graphBegins = ',"graph":';

/** The replica as it is sent to a satellite: the envelope of its answer, with the graph last. */
export function replicaText({ replica }: SimHalond, ref: number): string {
  const { index, epoch, graph } = replica;
  const answer = { type: "replica", index, epoch };
  const head = JSON.stringify({ to: "caller", ref, answer }).slice(0, -2);
  return `${head}${graphBegins}${textOf(graph)}}}`;
}

/** The envelope of a text; what a node sends to several is read once. */
export function envelopeOf(text: string): Envelope {
  if (!replicaBegins.test(text)) return parseShared(text) as unknown as Envelope;
  const end = text.indexOf(graphBegins);
  const { ref, answer } = JSON.parse(`${text.slice(0, end)}}}`) as ReplicaHead;
  const graph = parseShared(text.slice(end + graphBegins.length, -2)) as unknown as GraphJson;
  return { to: "caller", ref, answer: { ...answer, graph } };
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
  const isLinked = leaderLink.peer !== undefined;
  if (satellite.search.isDone(isLinked)) return;
  const tracking = trackingOf(world, node);
  const known = replica.graph.list("Node", { role: "tracking" });
  const candidates = [
    ...tracking.filter((other) => other !== node).map(({ address }) => address),
    ...known.map(({ attributes }) => attributes.address),
  ];
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
