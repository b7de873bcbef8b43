import type { Health } from "@halon/protocol";
import {
  type EndEffect,
  placeOf,
  reasonCharsMax,
  reportEnd,
  reportStarted,
} from "./instance-report.ts";
import { watch } from "./instance-watch.ts";
import { beginLease } from "./lease-guards.ts";
import { advance, type LifecycleEffect, type LifecycleEvent, start } from "./lifecycle.ts";
import { dropSpawn, hold, letGo } from "./service-names.ts";
import type { HeardEvent, InstanceSpec } from "./site-input.ts";
import {
  arm,
  createInstance,
  disarm,
  emit,
  type Instance,
  isHere,
  type SiteState,
  stateOfInstance,
  type Turn,
} from "./site-state.ts";

/** It is there: its deadline to be ready begins. */
export function spawned(state: SiteState, turn: Turn, id: string): void {
  const instance = waitingForSpawn(state, id);
  const [life, effects] = start(instance.spec.manifest);
  instance.life = life;
  beginLease(state, turn, instance);
  perform(state, turn, instance, effects);
}

/** It could not be made. */
export function spawnFailed(
  state: SiteState,
  turn: Turn,
  id: string,
  cause: { readonly code: string; readonly reason: string },
): void {
  dropSpawn(state, turn, waitingForSpawn(state, id), cause);
}

function waitingForSpawn(state: SiteState, id: string): Instance {
  const instance = state.instances.get(id);
  if (instance?.life === null) return instance;
  throw new Error(`expected ${id} to be one that is to be spawned`);
}

/** It was started and reported by an earlier process: only the state counts, not its effects. */
export function adopted(state: SiteState, turn: Turn, spec: InstanceSpec): void {
  const instance = createInstance(spec, new Set());
  const [loading] = start(spec.manifest);
  const [running] = advance(loading, { type: "ready" });
  instance.life = running;
  hold(state, instance);
  beginLease(state, turn, instance);
  perform(state, turn, instance, [{ type: "supervise" }]);
}

/** Advances its life. What has ended or was let go of stays as it is. */
export function take(state: SiteState, turn: Turn, instance: Instance, event: LifecycleEvent) {
  if (!isHere(state, instance)) return;
  if (instance.life === null) {
    throw new Error(`expected ${instance.spec.instance} to be spawned before "${event.type}"`);
  }
  const [next, effects] = advance(instance.life, event);
  instance.life = next;
  perform(state, turn, instance, effects);
}

/** Takes in what an instance says. */
export function heard(state: SiteState, turn: Turn, instance: Instance, event: HeardEvent): void {
  const at = placeOf(state, instance.spec);
  switch (event.type) {
    case "loaded":
    case "ready":
      take(state, turn, instance, { type: event.type });
      return;
    case "problem": {
      const { code, failureCode, exit } = event;
      const reason = event.reason.slice(0, reasonCharsMax);
      const cause = { code, reason, cause: event.cause, failureCode };
      if (exit === undefined) take(state, turn, instance, { type: "failed", cause });
      else take(state, turn, instance, { type: "crashed", cause, exit });
      return;
    }
    case "exiting":
      take(state, turn, instance, { type: "exiting", reason: event.reason.slice(0, 4_000) });
      return;
    case "trouble":
      takeTrouble(state, turn, instance, event);
      return;
    case "exited": {
      const { exit, cause } = event;
      const reason = event.reason.slice(0, reasonCharsMax);
      take(state, turn, instance, { type: "exited", exit, reason, cause });
      return;
    }
    case "acquired": {
      const { kind, id, attributes } = event;
      if (!Object.hasOwn(instance.spec.manifest.resources, kind)) return;
      const data = { ...at, kind, id, attributes: attributes as Record<string, never> };
      emit(turn, { type: "ResourceAcquired", data });
      return;
    }
    case "released":
      emit(turn, { type: "ResourceReleased", data: { ...at, kind: event.kind, id: event.id } });
      return;
    case "reconfigured": {
      const { configuration, config } = event;
      instance.configuration = configuration;
      emit(turn, { type: "ServiceReconfigured", data: { ...at, configuration, config } });
      return;
    }
    case "misconfigured": {
      const detail = `its schema refuses the configuration that it changed to: ${event.reason}`;
      noteHealth(state, turn, instance, { health: "warn", detail: detail.slice(0, 4_000) });
    }
  }
}

/** What it says of its health; only a change is told. */
export function noteHealth(
  state: SiteState,
  turn: Turn,
  instance: Instance,
  said: { readonly health: Health; readonly detail: string | undefined },
): void {
  if (!isHere(state, instance) || stateOfInstance(instance) !== "running") return;
  instance.healthDetail = said.detail;
  if (said.health === instance.health) return;
  instance.health = said.health;
  if (said.health === "fail" || said.health === "warn") stopClock(turn, instance);
  else instance.healthySince ??= turn.now;
  const detail = said.detail === undefined ? {} : { detail: said.detail };
  const data = { ...placeOf(state, instance.spec), health: said.health, ...detail };
  emit(turn, { type: "ServiceHealthChanged", data });
}

/** Ends it by force once more, or because its stop takes longer than its lease. */
export function kill(turn: Turn, { spec: { instance } }: Instance): void {
  turn.effects.push({ type: "kill", instance });
}

/** Its deadlines are for nobody any more. */
export function dropDeadlines(state: SiteState, turn: Turn, instance: Instance): void {
  for (const key of instance.deadlines) disarm(state, turn, key);
  instance.deadlines.clear();
}

/** It waits for the answer, which is a command; until then it runs on as it can. */
function takeTrouble(
  state: SiteState,
  turn: Turn,
  instance: Instance,
  { ref, code, data, ...told }: Extract<HeardEvent, { type: "trouble" }>,
): void {
  const at = stateOfInstance(instance);
  if (at === "stopping" || at === "killing") return;
  const reason = told.reason.slice(0, reasonCharsMax);
  instance.troubles.set(ref, { code, reason });
  const more = data === undefined ? {} : { data };
  const place = placeOf(state, instance.spec);
  emit(turn, { type: "ServiceTrouble", data: { ...place, ref, code, reason, ...more } });
}

function stopClock(turn: Turn, instance: Instance): void {
  if (instance.healthySince !== null) instance.healthyMs += turn.now - instance.healthySince;
  instance.healthySince = null;
}

function perform(
  state: SiteState,
  turn: Turn,
  instance: Instance,
  effects: readonly LifecycleEffect[],
): void {
  for (const effect of effects) performOne(state, turn, instance, effect);
}

function performOne(
  state: SiteState,
  turn: Turn,
  instance: Instance,
  effect: LifecycleEffect,
): void {
  const id = instance.spec.instance;
  switch (effect.type) {
    case "spawn":
      // Done before its life began.
      return;
    case "arm": {
      const key = `${effect.key} ${id}`;
      const deadline = { type: "life", instance, event: effect.event } as const;
      instance.deadlines.add(key);
      arm(state, turn, key, { inMs: effect.delayMs, deadline });
      return;
    }
    case "disarm":
      disarm(state, turn, `${effect.key} ${id}`);
      return;
    case "requestStop":
      stopClock(turn, instance);
      turn.effects.push({ type: "requestStop", instance: id });
      return;
    case "kill":
      stopClock(turn, instance);
      kill(turn, instance);
      return;
    case "supervise":
      instance.healthySince = turn.now;
      watch(state, turn, instance);
      return;
    case "reportStarted":
      // That it is ready says that it is well; from here on only a change is reported.
      instance.health = "ok";
      reportStarted(state, turn, instance);
      return;
    case "reportCrashed":
      // Its exit is still to come: it keeps its name until then.
      reportEndOf(state, turn, instance, { ...effect, type: "reportFailed" });
      state.instances.delete(id);
      return;
    case "leave":
      letGo(state, turn, instance);
      return;
    case "reportCouldNotStart":
    case "reportFailed":
    case "reportExited":
    case "reportStopped":
      reportEndOf(state, turn, instance, effect);
      letGo(state, turn, instance);
  }
}

function reportEndOf(state: SiteState, turn: Turn, instance: Instance, effect: EndEffect): void {
  stopClock(turn, instance);
  dropDeadlines(state, turn, instance);
  reportEnd(state, turn, instance, effect);
}
