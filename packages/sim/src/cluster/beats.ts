import { beatPlanOf, opinionAgeMs } from "@halon/node/core";
import { eventKind, type World } from "../world.ts";
import type { BeatArrival, SimHalond } from "./halond.ts";
import { arrivalOf, isOpen } from "./links.ts";
import { slotOf } from "./messages.ts";
import { followWatched } from "./supervisor.ts";
import { arm, give } from "./threads.ts";
import { inMachineMs, machineMs, type SimBeat } from "./world.ts";

const beatEveryMs = 100;
/** Later than this the beat thread says so; ms. */
const lateMs = 250;
/** Peers follow the graph at most so late; ms. */
const followMs = 100;
/** A main thread counts its turns so often; ms. */
const mainTurnMs = 50;
const freshMax = 10_000;

/** The beat thread of a node begins. */
export function beginBeats(world: World, halond: SimHalond): void {
  halond.beats.turnedAtMs = machineMs(world, halond.node);
  scheduleBeat(world, halond);
  followBeats(world, halond);
}

function scheduleBeat(world: World, { node, incarnation }: SimHalond): void {
  const at = inMachineMs(world, node, beatEveryMs);
  world.queue.push(at, eventKind.beat, node.slot, incarnation, null);
}

/** The beat thread turns: it does nothing else, so it is late with its machine only. */
export function onBeatTurn(world: World, halond: SimHalond): void {
  const { node, incarnation, beats, supervisor } = halond;
  const now = machineMs(world, node);
  const overMs = now - beats.turnedAtMs - beatEveryMs;
  beats.turnedAtMs = now;
  if (overMs >= lateMs) {
    beats.lateAtMs = now;
    give(world, halond, { type: "late", ms: overMs });
  }
  scheduleBeat(world, halond);
  if (beats.targets.length === 0) return;
  // A main thread that hangs does not count its turns.
  if (halond.hungUntil <= world.now)
    beats.mainTurns = Math.floor((world.now - halond.startedUs) / (1000 * mainTurnMs));
  const beat: SimBeat = {
    node: node.name,
    incarnation,
    counters: {
      main: beats.mainTurns,
      supervisor: supervisor.looks,
      coordinator: 0,
      member: 0,
    },
  };
  const { settings } = world.network;
  for (const to of beats.targets) {
    if (!isOpen(world, node.slot, to)) continue;
    if (!world.network.isCalm && settings.loss > 0 && node.prng.chance(settings.loss)) continue;
    world.queue.push(arrivalOf(world, node, to), eventKind.beat, to, node.slot, beat);
  }
}

/** A beat has come in; the thread that receives notes when. */
export function onBeat(world: World, halond: SimHalond, beat: SimBeat): void {
  const { beats, node } = halond;
  const known = beats.known.get(beat.node);
  if (known === undefined || beat.incarnation < known) return;
  const { node: name, incarnation, counters } = beat;
  const arrival: BeatArrival = { node: name, incarnation, at: machineMs(world, node), counters };
  beats.last.set(name, arrival);
  if (beats.fresh.length < freshMax) beats.fresh.push(arrival);
}

/** How late this node is in seeing beats just now; ms. */
export function lateness(world: World, { beats, node }: SimHalond): number {
  return Math.max(0, machineMs(world, node) - beats.turnedAtMs - beatEveryMs);
}

/** A graph that changes often is looked at once in a while. */
export function followBeatsSoon(world: World, halond: SimHalond): void {
  if (!halond.timers.has("beats")) arm(world, halond, "beats", followMs);
}

/** Beats to those who are to hear this node now: to the leader and its watchers; leading, to all. */
export function followBeats(world: World, halond: SimHalond): void {
  const { replica, agent, beats, node } = halond;
  const { targets, known, observers } = beatPlanOf(replica.graph, node.name, agent.leader);
  beats.observers = observers;
  beats.known = known;
  beats.targets = targets.map((one) => slotOf(world, one.node)).filter((slot) => slot >= 0);
  for (const name of beats.last.keys()) if (!beats.known.has(name)) beats.last.delete(name);
  followWatched(halond);
}

/** Of itself a node says that it answers; of another what its beats say, if it could hear them at all. */
export function opinionOf(world: World, halond: SimHalond, about: string): number | null {
  const { beats, node } = halond;
  if (about === node.name) return 0;
  const arrival = beats.last.get(about);
  if (arrival === undefined) return null;
  const sight = { heardAt: arrival.at, lateAt: beats.lateAtMs };
  return opinionAgeMs(sight, machineMs(world, node));
}
