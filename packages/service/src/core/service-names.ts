import { couldNotStart, refuseStarts, reportStarted } from "./instance-report.ts";
import { unwatch } from "./instance-watch.ts";
import { endLease, leaseEndOf } from "./lease-guards.ts";
import { settleShutdown } from "./shutdown-end.ts";
import type { ActionOf, InstanceSpec } from "./site-input.ts";
import {
  arm,
  createInstance,
  disarm,
  type Instance,
  type SiteState,
  stateOfInstance,
  type Turn,
  type WaitingStart,
} from "./site-state.ts";

type StartAction = ActionOf<"StartService">;

/** Starts an instance, waits for an older one that ends, or tells who holds the name. */
export function start(
  state: SiteState,
  turn: Turn,
  action: StartAction,
  command: string | undefined,
): void {
  const commands = new Set(command === undefined ? [] : [command]);
  const present = state.instances.get(action.instance);
  if (present !== undefined) {
    startAgain(state, turn, present, commands);
    return;
  }
  if (state.ended.has(action.instance)) {
    refuseStarts(state, turn, action, commands);
    return;
  }
  const queued = state.waiting.get(action.service);
  if (queued?.action.instance === action.instance) {
    const all = new Set([...queued.commands, ...commands]);
    state.waiting.set(action.service, { ...queued, commands: all });
    return;
  }
  const name = exclusiveName(action);
  const holder = state.holders.get(name);
  if (holder === undefined) spawn(state, turn, action, commands);
  else if (isLeavingFor(state, holder, action)) wait(state, turn, action, commands);
  else {
    const { instance } = holder.spec;
    const where = `the service name ${name} on ${state.options.node}`;
    const reason = `${instance} (${stateOfInstance(holder)}) holds ${where}; stop it first`;
    const told = { commands, code: "HAL_NAME_TAKEN", reason, holder: instance };
    couldNotStart(state, turn, action, told);
  }
}

/** Gives the service name to an instance. */
export function hold(state: SiteState, instance: Instance): void {
  state.present.set(instance.spec.instance, instance);
  state.instances.set(instance.spec.instance, instance);
  state.holders.set(exclusiveName(instance.spec), instance);
}

/** The spawn failed: the name is free again, and the start is answered. */
export function dropSpawn(
  state: SiteState,
  turn: Turn,
  instance: Instance,
  cause: { readonly code: string; readonly reason: string },
): void {
  state.present.delete(instance.spec.instance);
  state.instances.delete(instance.spec.instance);
  state.holders.delete(exclusiveName(instance.spec));
  couldNotStart(state, turn, instance.spec, { commands: instance.startCommands, ...cause });
}

/** Lets go of an instance that ended, and starts the one that waited for its name. */
export function letGo(state: SiteState, turn: Turn, { spec }: Instance): void {
  const { instance } = spec;
  const name = exclusiveName(spec);
  unwatch(state, turn, instance);
  state.present.delete(instance);
  state.instances.delete(instance);
  state.holders.delete(name);
  endLease(state, turn, instance);
  state.releasing.delete(instance);
  turn.effects.push({ type: "ended", instance });
  const next = [...state.waiting.values()].find(({ action }) => exclusiveName(action) === name);
  if (next !== undefined) {
    takeFromQueue(state, turn, next.action.service);
    spawn(state, turn, next.action, next.commands);
  }
  settleShutdown(state, turn);
}

/** Takes a start from the queue and answers it. */
export function giveUp(
  state: SiteState,
  turn: Turn,
  { action, commands }: WaitingStart,
  reason: string,
): void {
  takeFromQueue(state, turn, action.service);
  couldNotStart(state, turn, action, { commands, code: "HAL_CONFLICT", reason });
}

/** The older one has not ended in time. */
export function waitedTooLong(state: SiteState, turn: Turn, service: string): void {
  const late = state.waiting.get(service);
  if (late === undefined) return;
  state.waiting.delete(service);
  const { action, commands } = late;
  const holder = state.holders.get(exclusiveName(action))?.spec.instance;
  const { startTimeoutMs } = action.manifest;
  const reason = `${holder ?? "the older instance"} did not end within ${startTimeoutMs} ms`;
  couldNotStart(state, turn, action, { commands, code: "HAL_NAME_TAKEN", reason, holder });
}

/** What one instance a node can hold: the name that its type declares, which types may share, or its service's. */
function exclusiveName({ service, manifest }: Pick<InstanceSpec, "service" | "manifest">): string {
  return manifest.serviceName === manifest.name ? service : manifest.serviceName;
}

/** Answers like the first start did, or will. */
function startAgain(
  state: SiteState,
  turn: Turn,
  instance: Instance,
  commands: ReadonlySet<string>,
): void {
  // One that is ending is answered at its end: that it could not start would say that nothing of it runs.
  for (const command of commands) instance.startCommands.add(command);
  if (stateOfInstance(instance) === "running") reportStarted(state, turn, instance);
}

// Nothing that takes time stands between a start and its spawn: a restart is measured in hundreds of microseconds.
function spawn(
  state: SiteState,
  turn: Turn,
  action: StartAction,
  commands: ReadonlySet<string>,
): void {
  const { node, checkConfig } = state.options;
  if (state.shutdown !== "none") {
    const reason = `${node} is stopping`;
    couldNotStart(state, turn, action, { commands, code: "HAL_CONFLICT", reason });
    return;
  }
  const { service, instance, manifest, configHash, lease } = action;
  const outcome = checkConfig(manifest, action.config);
  if (outcome.type === "invalid") {
    const { reason } = outcome;
    couldNotStart(state, turn, action, { commands, code: "HAL_SCHEMA_VIOLATION", reason });
    return;
  }
  const untilMs = leaseEndOf(state, turn, instance);
  if (lease !== undefined && untilMs === undefined) {
    const reason = `no lease of ${instance} holds on ${node}: the leader has to grant it first`;
    couldNotStart(state, turn, action, { commands, code: "HAL_CONFLICT", reason });
    return;
  }
  const leased = lease && untilMs ? { lease: { ...lease, untilMs } } : {};
  const spec = { service, instance, manifest, configHash, ...leased };
  hold(state, createInstance(spec, commands));
  turn.effects.push({ type: "spawn", spawn: { ...spec, config: outcome.config } });
}

function wait(
  state: SiteState,
  turn: Turn,
  action: StartAction,
  commands: ReadonlySet<string>,
): void {
  const { service, instance } = action;
  const queued = state.waiting.get(service);
  if (queued !== undefined) {
    const other = queued.action.instance;
    if (incarnationOf(other) > incarnationOf(instance)) {
      const reason = `the newer ${other} waits for the service name`;
      couldNotStart(state, turn, action, {
        commands,
        code: "HAL_NAME_TAKEN",
        reason,
        holder: other,
      });
      return;
    }
    giveUp(state, turn, queued, `the newer ${instance} takes its place`);
  }
  state.waiting.set(service, { action, commands });
  const deadline = { type: "waitingStart", service } as const;
  arm(state, turn, keyOf(service), { inMs: action.manifest.startTimeoutMs, deadline });
}

function takeFromQueue(state: SiteState, turn: Turn, service: string): void {
  disarm(state, turn, keyOf(service));
  state.waiting.delete(service);
}

function keyOf(service: string): string {
  return `start ${service}`;
}

/** An older incarnation that ends makes way; a running one does not. */
function isLeavingFor(state: SiteState, holder: Instance, action: StartAction): boolean {
  // Of another type: its end was told, so that the name may have been given on.
  if (holder.spec.service !== action.service) return !state.instances.has(holder.spec.instance);
  const at = stateOfInstance(holder);
  if (at !== "stopping" && at !== "killing") return false;
  return incarnationOf(holder.spec.instance) < incarnationOf(action.instance);
}

function incarnationOf(instance: string): number {
  return Number(instance.slice(instance.lastIndexOf("#") + 1));
}
