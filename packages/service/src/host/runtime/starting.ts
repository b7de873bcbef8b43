import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { HalonError } from "@halon/protocol";
import { checkConfig } from "./configuration.ts";
import { createInstance, type Instance } from "./instance.ts";
import { reportStarted } from "./report.ts";
import type { ActionOf } from "./runtime.ts";
import { configValuesOf } from "./secrets.ts";
import type { Site, WaitingStart } from "./site.ts";
import { reasonOf } from "./watch.ts";

type StartAction = ActionOf<"StartService">;

/** Starts an instance, waits for an older one that ends, or tells who holds the name. */
export function start(site: Site, action: StartAction, command?: string): void {
  const commands = new Set(command === undefined ? [] : [command]);
  const present = site.instances.get(action.instance);
  if (present !== undefined) {
    startAgain(site, present, commands);
    return;
  }
  const queued = site.waiting.get(action.service);
  if (queued?.action.instance === action.instance) {
    const all = new Set([...queued.commands, ...commands]);
    site.waiting.set(action.service, { ...queued, commands: all });
    return;
  }
  const name = exclusiveName(action);
  const holder = site.holders.get(name);
  if (holder === undefined) spawn(site, action, commands);
  else if (isLeavingFor(site, holder, action)) wait(site, action, commands);
  else {
    const { instance } = holder.spec;
    const reason = `${instance} (${holder.state}) holds the service name ${name} on ${site.options.node}; stop it first`;
    couldNotStart(site, action, commands, { code: "HAL_NAME_TAKEN", reason, holder: instance });
  }
}

/** Gives the service name to an instance. */
export function hold(site: Site, instance: Instance): void {
  site.instances.set(instance.spec.instance, instance);
  site.holders.set(exclusiveName(instance.spec), instance);
  site.leases.begin(instance);
}

/** What one instance a node can hold: the name that its type declares, which types may share, or its service's. */
function exclusiveName({ service, manifest }: Pick<StartAction, "service" | "manifest">): string {
  return manifest.serviceName === manifest.name ? service : manifest.serviceName;
}

/** Lets go of an instance that ended, and starts the one that waited for its name. */
export function letGo(site: Site, instance: Instance): void {
  const name = exclusiveName(instance.spec);
  site.watch.remove(instance);
  site.instances.delete(instance.spec.instance);
  site.holders.delete(name);
  site.leases.end(instance.spec.instance);
  const next = [...site.waiting.values()].find(({ action }) => exclusiveName(action) === name);
  if (next !== undefined) {
    clearTimeout(next.timer);
    site.waiting.delete(next.action.service);
    spawn(site, next.action, next.commands);
  }
  if (site.holders.size === 0) site.drained();
}

/** Takes a start from the queue and answers it. */
export function giveUp(site: Site, queued: WaitingStart, reason: string): void {
  clearTimeout(queued.timer);
  site.waiting.delete(queued.action.service);
  couldNotStart(site, queued.action, queued.commands, { code: "HAL_CONFLICT", reason });
}

/** Answers like the first start did, or will. */
function startAgain(site: Site, instance: Instance, commands: ReadonlySet<string>): void {
  // One that is ending is answered at its end: that it could not start would say that nothing of it runs.
  for (const command of commands) instance.startCommands.add(command);
  if (instance.state === "running") reportStarted(instance, site.host);
}

// No await between here and the runner: a restart is measured in hundreds of microseconds.
function spawn(site: Site, action: StartAction, commands: ReadonlySet<string>): void {
  const { node, blobPath, dataDir, runners, kept } = site.options;
  if (site.closing) {
    couldNotStart(site, action, commands, { code: "HAL_CONFLICT", reason: `${node} is stopping` });
    return;
  }
  const { service, instance, manifest, configHash, lease } = action;
  const outcome = checkConfig(manifest, action.config);
  if (outcome.type === "invalid") {
    const { reason } = outcome;
    couldNotStart(site, action, commands, { code: "HAL_SCHEMA_VIOLATION", reason });
    return;
  }
  const { config } = outcome;
  const directory = join(dataDir, "services", service);
  const untilMs = site.leases.untilOf(instance);
  if (lease !== undefined && untilMs === undefined) {
    const reason = `no lease of ${instance} holds on ${node}: the leader has to grant it first`;
    couldNotStart(site, action, commands, { code: "HAL_CONFLICT", reason });
    return;
  }
  const leased = lease && untilMs ? { lease: { ...lease, untilMs } } : {};
  const spec = {
    node,
    service,
    instance,
    manifest,
    config,
    configHash,
    configValues: configValuesOf(config),
    blobPath,
    directory,
    peers: site.options.directory,
  };
  try {
    // Before anything is started: a secret that cannot be read is the reason, and named.
    spec.configValues();
    makeDirectory(site, directory);
    const startRunner = lease === undefined ? runners[manifest.kind] : kept;
    if (startRunner === undefined) {
      throw new Error(`services of kind ${manifest.kind} cannot be run on ${node}`);
    }
    createInstance({ ...spec, ...leased }, site.host, startRunner, (created) => {
      for (const command of commands) created.startCommands.add(command);
      hold(site, created);
    });
  } catch (error) {
    const code = error instanceof HalonError ? error.code : "HAL_SERVICE_START";
    couldNotStart(site, action, commands, { code, reason: reasonOf(error) });
  }
}

function makeDirectory(site: Site, directory: string): void {
  if (site.directories.has(directory)) return;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  site.directories.add(directory);
}

function wait(site: Site, action: StartAction, commands: ReadonlySet<string>): void {
  const queued = site.waiting.get(action.service);
  if (queued !== undefined) {
    const other = queued.action.instance;
    if (incarnationOf(other) > incarnationOf(action.instance)) {
      const reason = `the newer ${other} waits for the service name`;
      couldNotStart(site, action, commands, { code: "HAL_NAME_TAKEN", reason, holder: other });
      return;
    }
    giveUp(site, queued, `the newer ${action.instance} takes its place`);
  }
  const { startTimeoutMs } = action.manifest;
  const timer = setTimeout(() => {
    const holder = site.holders.get(exclusiveName(action))?.spec.instance;
    const late = site.waiting.get(action.service);
    site.waiting.delete(action.service);
    const reason = `${holder ?? "the older instance"} did not end within ${startTimeoutMs} ms`;
    const cause = { code: "HAL_NAME_TAKEN", reason, ...(holder === undefined ? {} : { holder }) };
    couldNotStart(site, action, late?.commands ?? commands, cause);
  }, startTimeoutMs);
  site.waiting.set(action.service, { action, commands, timer });
}

function couldNotStart(
  site: Site,
  { service, instance }: { readonly service: string; readonly instance: string },
  commands: ReadonlySet<string>,
  cause: { readonly code: string; readonly reason: string; readonly holder?: string },
): void {
  const { node, emit } = site.options;
  const at = { node, service, instance, ...cause, reason: cause.reason.slice(0, 4_000) };
  const answers = commands.size === 0 ? [{}] : [...commands].map((command) => ({ command }));
  for (const answer of answers) emit({ type: "ServiceCouldNotStart", data: { ...at, ...answer } });
}

/** An older incarnation that ends makes way; a running one does not. */
function isLeavingFor(site: Site, holder: Instance, action: StartAction): boolean {
  // Of another type: its end was told, so that the name may have been given on.
  if (holder.spec.service !== action.service) return !site.instances.has(holder.spec.instance);
  if (holder.state !== "stopping" && holder.state !== "killing") return false;
  return incarnationOf(holder.spec.instance) < incarnationOf(action.instance);
}

function incarnationOf(instance: string): number {
  return Number(instance.slice(instance.lastIndexOf("#") + 1));
}
