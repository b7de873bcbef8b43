import type { Health, InventoryInstance, JsonObject } from "@halon/protocol";
import {
  advance,
  type CheckSchedule,
  firstCheck,
  type LifecycleEffect,
  type LifecycleEvent,
  type LifecycleSnapshot,
  type LifecycleState,
  start,
  stateOf,
} from "../../core/index.ts";
import type { Runner, RunnerEvent, RunnerSpec, StartRunner } from "../runner.ts";
import { hear } from "./hear.ts";
import { type EndEffect, placeOf, reportEnd, reportStarted } from "./report.ts";
import type { RuntimeEvent } from "./runtime.ts";
import { type Redactor, redactorOf } from "./secrets.ts";

/** What an instance needs of its runtime. */
export interface InstanceHost {
  emit(event: RuntimeEvent): void;
  now(): number;
  /** The instance is ready. */
  watch(instance: Instance): void;
  /** Its end has been emitted, and its exit is still to come: it keeps its name until `ended`. */
  over(instance: Instance): void;
  /** Nothing of the instance runs any more; all about it has been emitted. */
  ended(instance: Instance): void;
  reconfigured(instance: Instance, config: JsonObject): void;
}

/** A trouble that the service has told of. */
export interface Trouble {
  readonly code: string;
  readonly reason: string;
}

/** One start of a service on this node, from its spawn to its end. */
export interface Instance {
  readonly spec: RunnerSpec;
  readonly runner: Runner;
  readonly health: Health;
  /** What the last check said beside its health. */
  readonly healthDetail: string | undefined;
  readonly state: LifecycleState;
  /** Hash of the configuration that it has now. */
  configuration: string;
  /** That configuration, with references to its secrets. */
  config: JsonObject;
  /** As of `RunnerSpec`, of that configuration. */
  configValues: () => JsonObject;
  /** Takes the values of its secrets out of what it says. */
  readonly secrets: Redactor;
  /** What it waits for AnswerTrouble with, by reference. */
  readonly troubles: Map<string, Trouble>;
  /** Schedule of its checks; its owner is the watch. */
  schedule: CheckSchedule;
  /** Ids of the commands that wait for it to be ready, and for its end. */
  readonly startCommands: Set<string>;
  readonly stopCommands: Set<string>;
  take(event: LifecycleEvent): void;
  noteHealth(health: Health, detail: string | undefined): void;
  /** Drops its deadlines: it runs on without this runtime. */
  forget(): void;
}

/** The instance as an inventory shows it. */
export function inventoryOf(instance: Instance): InventoryInstance {
  const { spec, runner, state } = instance;
  const shown = state === "loading" ? "starting" : state;
  return {
    instance: spec.instance,
    service: spec.service,
    type: spec.manifest.name,
    version: spec.manifest.version,
    state: shown === "starting" || shown === "running" ? shown : "stopping",
    health: instance.health,
    ...(runner.osPid === undefined ? {} : { osPid: runner.osPid }),
  };
}

/**
 * Spawns an instance without waiting for anything; `created` gets it before its first event.
 *
 * Throws what the runner throws; then nothing was created.
 */
export function createInstance(
  spec: RunnerSpec,
  host: InstanceHost,
  startRunner: StartRunner,
  created: (instance: Instance) => void,
): void {
  // What a runner reports before it is returned waits until the instance is whole.
  const early: RunnerEvent[] = [];
  let report = (event: RunnerEvent): void => void early.push(event);
  // Before anything else is computed: the new process comes to life while this thread goes on.
  const runner = startRunner(spec, (event) => report(event));
  const [snapshot, effects] = start(spec.manifest);
  const instance = build(spec, host, runner, snapshot);
  created(instance);
  instance.perform(effects);
  report = (event) => hear(instance, host, event);
  for (const event of early) report(event);
}

/** Takes in an instance that runs already; `watch` makes its runner report from now on. */
export function adoptInstance(
  spec: RunnerSpec,
  host: InstanceHost,
  watch: (listener: (event: RunnerEvent) => void) => Runner,
  created: (instance: Instance) => void,
): void {
  // It was started and reported by an earlier halond: only the state counts, not its effects.
  const [loading] = start(spec.manifest);
  const [running] = advance(loading, { type: "ready" });
  const early: RunnerEvent[] = [];
  let report = (event: RunnerEvent): void => void early.push(event);
  const runner = watch((event) => report(event));
  const instance = build(spec, host, runner, running);
  created(instance);
  instance.perform([{ type: "supervise" }]);
  report = (event) => hear(instance, host, event);
  for (const event of early) report(event);
}

interface Built extends Instance {
  perform(effects: readonly LifecycleEffect[]): void;
}

/** What changes of an instance. */
interface Life {
  snapshot: LifecycleSnapshot;
  health: Health;
  healthDetail: string | undefined;
  /** Time that it was ready and healthy, without the stretch that lasts since `healthySince`. */
  healthyMs: number;
  healthySince: number | null;
  readonly deadlines: Map<string, NodeJS.Timeout>;
}

function build(
  spec: RunnerSpec,
  host: InstanceHost,
  runner: Runner,
  snapshot: LifecycleSnapshot,
): Built {
  const life: Life = {
    snapshot,
    health: "unknown",
    healthDetail: undefined,
    healthyMs: 0,
    healthySince: null,
    deadlines: new Map(),
  };
  const instance: Built = {
    spec,
    runner,
    configuration: spec.configHash,
    config: spec.config,
    configValues: () => spec.configValues(),
    secrets: redactorOf(spec),
    troubles: new Map(),
    schedule: firstCheck(host.now()),
    startCommands: new Set(),
    stopCommands: new Set(),
    get healthDetail() {
      return life.healthDetail;
    },
    get health() {
      return life.health;
    },
    get state() {
      return stateOf(life.snapshot);
    },
    take(event) {
      const [next, effects] = advance(life.snapshot, event);
      life.snapshot = next;
      instance.perform(effects);
    },
    noteHealth(health, detail) {
      const said = detail === undefined ? undefined : instance.secrets.clean(detail);
      noteHealth(instance, life, host, { health, detail: said });
    },
    forget: () => dropDeadlines(life),
    perform(effects) {
      for (const effect of effects) perform(instance, life, host, effect);
    },
  };
  return instance;
}

function noteHealth(
  instance: Instance,
  life: Life,
  host: InstanceHost,
  said: { readonly health: Health; readonly detail: string | undefined },
): void {
  if (instance.state !== "running") return;
  life.healthDetail = said.detail;
  if (said.health === life.health) return;
  life.health = said.health;
  if (said.health === "fail" || said.health === "warn") stopClock(life, host);
  else life.healthySince ??= host.now();
  const detail = said.detail === undefined ? {} : { detail: said.detail };
  const data = { ...placeOf(instance.spec), health: said.health, ...detail };
  host.emit({ type: "ServiceHealthChanged", data });
}

function stopClock(life: Life, host: InstanceHost): void {
  if (life.healthySince !== null) life.healthyMs += host.now() - life.healthySince;
  life.healthySince = null;
}

function dropDeadlines(life: Life): void {
  for (const deadline of life.deadlines.values()) clearTimeout(deadline);
  life.deadlines.clear();
}

function perform(
  instance: Instance,
  life: Life,
  host: InstanceHost,
  effect: LifecycleEffect,
): void {
  switch (effect.type) {
    case "spawn":
      // Done before there was an instance to perform it on.
      return;
    case "arm": {
      const due = () => instance.take({ type: "deadline", event: effect.event });
      life.deadlines.set(effect.key, setTimeout(due, effect.delayMs));
      return;
    }
    case "disarm":
      clearTimeout(life.deadlines.get(effect.key));
      life.deadlines.delete(effect.key);
      return;
    case "requestStop":
      stopClock(life, host);
      instance.runner.requestStop();
      return;
    case "kill":
      stopClock(life, host);
      instance.runner.kill();
      return;
    case "supervise":
      life.healthySince = host.now();
      host.watch(instance);
      return;
    case "reportStarted":
      // That it is ready says that it is well; from here on only a change is reported.
      life.health = "ok";
      reportStarted(instance, host);
      return;
    case "reportCrashed":
      reportEndOf(instance, life, host, { ...effect, type: "reportFailed" });
      host.over(instance);
      return;
    case "leave":
      host.ended(instance);
      return;
    case "reportCouldNotStart":
    case "reportFailed":
    case "reportExited":
    case "reportStopped":
      reportEndOf(instance, life, host, effect);
      host.ended(instance);
      return;
  }
}

function reportEndOf(instance: Instance, life: Life, host: InstanceHost, effect: EndEffect): void {
  stopClock(life, host);
  dropDeadlines(life);
  reportEnd(instance, host, effect, Math.round(life.healthyMs));
}
