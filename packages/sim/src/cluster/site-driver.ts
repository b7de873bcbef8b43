import type { Sample, SiteEffect } from "@halon/service/core";
import type { World } from "../world.ts";
import type { SimHalond } from "./halond.ts";
import type { ProcessAnswer } from "./services.ts";
import { arm, disarm } from "./threads.ts";
import { clusterOf, machineMs } from "./world.ts";

/** Carries out effects of the site of a node, in order. */
export function runSite(world: World, halond: SimHalond, effects: readonly SiteEffect[]): void {
  for (const effect of effects) if (halond.isAlive) perform(world, halond, effect);
}

function perform(world: World, halond: SimHalond, effect: SiteEffect): void {
  const { services } = clusterOf(world);
  const { node, site } = halond;
  const { slot } = node;
  const now = machineMs(world, node);
  switch (effect.type) {
    case "spawn": {
      const { spawn } = effect;
      services.launch(slot, halond.incarnation, spawn);
      runSite(world, halond, site.spawned(spawn.instance, now));
      return;
    }
    case "requestStop":
      services.requestStop(slot, effect.instance);
      return;
    case "kill":
      services.kill(slot, effect.instance);
      return;
    case "release": {
      const livesOn = services.release(slot, effect.instance);
      runSite(world, halond, site.released(effect.instance, livesOn, now));
      return;
    }
    case "renew":
      services.renew(slot, effect.instance, effect.untilMs);
      return;
    case "answerTrouble":
      services.answerTrouble(slot, effect.instance, effect.ref);
      return;
    case "askHealth":
      services.ask(slot, effect.instance, "health", effect);
      return;
    case "askAlive":
      services.ask(slot, effect.instance, "alive", effect);
      return;
    case "askStatus":
      services.ask(slot, effect.instance, "status", effect);
      return;
    case "reconfigure":
      services.ask(slot, effect.instance, "reconfigure", effect);
      return;
    case "emit":
      halond.emit(world, halond, effect.event.type, effect.event.data);
      return;
    case "arm":
      arm(world, halond, `site:${effect.key}`, effect.inMs);
      return;
    case "disarm":
      disarm(halond, `site:${effect.key}`);
      return;
    case "probed":
    case "ended":
    case "drained":
      return;
  }
}

/** A process has answered what the site asked. */
export function takeProcessAnswer(
  world: World,
  halond: SimHalond,
  ref: number,
  answered: ProcessAnswer,
): void {
  const { site, node } = halond;
  const now = machineMs(world, node);
  switch (answered.type) {
    case "health":
      runSite(world, halond, site.healthAnswered(ref, answered.answer, now));
      return;
    case "alive":
      runSite(world, halond, site.aliveAnswered(ref, answered.answer, now));
      return;
    case "status":
      runSite(world, halond, site.statusAnswered(ref, answered.answer));
      return;
    case "reconfigure":
      runSite(world, halond, site.reconfigureAnswered(ref, answered.answer));
      return;
  }
}

/** The supervisor looks at what runs. */
export function lookAtSite(world: World, halond: SimHalond): void {
  const { site, node } = halond;
  const { services } = clusterOf(world);
  const samples = site.watched().map(
    (instance): Sample => ({
      instance,
      silentMs: services.silentMs(node.slot, instance),
      memoryMb: services.memoryMb(node.slot, instance),
    }),
  );
  runSite(world, halond, site.look(samples, machineMs(world, node)));
}

/** What an earlier `halond` left running is this one's now. */
export function adoptProcesses(world: World, halond: SimHalond): readonly string[] {
  const { site, node } = halond;
  const found = clusterOf(world).services.adopt(node.slot, halond.incarnation);
  for (const { spawn, untilMs } of found) {
    const { service, instance, manifest, configHash, lease } = spawn;
    const held = lease === undefined ? {} : { lease: { ...lease, untilMs } };
    const spec = { service, instance, manifest, configHash, ...held };
    runSite(world, halond, site.adopted(spec, machineMs(world, node)));
  }
  return found.map(({ instance }) => instance);
}
