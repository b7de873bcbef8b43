import { join } from "node:path";
import type { InventoryInstance } from "@halon/protocol";
import { limits } from "../limits.ts";
import { adoptInstance, inventoryOf } from "./instance.ts";
import { Leases } from "./leases.ts";
import { reportReconfigured } from "./reconfigure.ts";
import { createRequests } from "./requests.ts";
import type { ActionOf, Runtime, RuntimeOptions } from "./runtime.ts";
import type { Site, WaitingStart } from "./site.ts";
import { giveUp, hold, letGo, start } from "./starting.ts";
import { createWatch } from "./watch.ts";

/** Builds the supervisor and service host of a node. Nothing runs until the first command or `adopt`. */
export function createRuntime(options: RuntimeOptions): Runtime {
  const site = createSite(options);
  const requests = createRequests(options.node, site.instances, options.emit);
  return {
    perform(action, command) {
      switch (action.type) {
        case "StartService":
          start(site, action, command);
          return;
        case "StopService":
          stop(site, action, command);
          return;
        case "CheckService":
          requests.check(action, command);
          return;
        case "ReportStatus":
          requests.reportStatus(action, command);
          return;
        case "ReconfigureService":
          requests.reconfigure(action, command);
          return;
        case "AnswerTrouble":
          requests.answerTrouble(action, command);
          return;
      }
    },
    start: (action, command) => start(site, action, command),
    stop: (action, command) => stop(site, action, command),
    ...requests,
    samples: () =>
      [...site.instances.values()].flatMap(({ runner, spec: { instance, manifest, lease } }) => {
        // Another process cannot end this one by its memory; under a lease a worker type runs in one.
        const isHere = manifest.kind === "worker" && lease === undefined;
        const memoryMb = isHere ? runner.memoryMb() : undefined;
        return memoryMb === undefined ? [] : [{ instance, memoryMb }];
      }),
    inventory: () => [
      ...[...site.instances.values()].map(inventoryOf),
      ...[...site.waiting.values()].map(inventoryOfWaiting),
    ],
    supervise: (isMonitored) => supervise(site, isMonitored),
    looks: () => site.watch.looks(),
    leased: () => site.leases.leased(),
    renew: (instance, untilMs) => site.leases.renew(instance, untilMs),
    adopt: () => adopt(site),
    shutdown: ({ keep }) => shutdown(site, keep),
  };
}

function createSite(options: RuntimeOptions): Site {
  const site: Site = {
    options,
    get leases() {
      return leases;
    },
    instances: new Map(),
    holders: new Map(),
    waiting: new Map(),
    directories: new Set(),
    watch: createWatch(options.now),
    host: {
      emit: options.emit,
      now: options.now,
      watch: (instance) => site.watch.add(instance),
      over: ({ spec }) => void site.instances.delete(spec.instance),
      ended: (instance) => letGo(site, instance),
      reconfigured: (instance, config) => reportReconfigured(instance, config, options.emit),
    },
    closing: false,
    drained: () => undefined,
  };
  const leases = new Leases(site);
  return site;
}

function supervise(site: Site, isMonitored: (instance: string) => boolean): number {
  site.watch.stop();
  site.watch = createWatch(site.options.now);
  const monitored = [...site.instances.values()].filter(
    ({ state, spec }) => state === "running" && isMonitored(spec.instance),
  );
  for (const instance of monitored) site.watch.add(instance);
  return monitored.length;
}

function stop(
  site: Site,
  action: Pick<ActionOf<"StopService">, "service" | "instance">,
  command?: string,
): void {
  const { service, instance: id } = action;
  const instance = site.instances.get(id);
  if (instance !== undefined) {
    if (command !== undefined) instance.stopCommands.add(command);
    instance.take({ type: "stop" });
    return;
  }
  const queued = site.waiting.get(service);
  if (queued?.action.instance === id) {
    giveUp(site, queued, `${id} was stopped before it was started`);
  }
  const answer = command === undefined ? {} : { command };
  const { node, emit } = site.options;
  emit({ type: "ServiceStopped", data: { node, service, instance: id, ...answer } });
}

async function adopt(site: Site): Promise<void> {
  const { node, dataDir, blobPath, adopters = [] } = site.options;
  const servicesDirectory = join(dataDir, "services");
  for (const find of adopters) {
    await find({ node, servicesDirectory, blobPath }, (found) => {
      // What is gone or was a stray is missing in the inventory, and the coordinator acts on that.
      if (found.type !== "adopted") return;
      adoptInstance(found.spec, site.host, found.watch, (instance) => hold(site, instance));
    });
  }
}

async function shutdown(site: Site, keep: boolean): Promise<void> {
  site.closing = true;
  for (const queued of [...site.waiting.values()]) {
    giveUp(site, queued, `${site.options.node} is stopping`);
  }
  let slowestMs = 0;
  for (const instance of [...site.instances.values()]) {
    if (keep && instance.runner.release()) {
      instance.forget();
      letGo(site, instance);
      continue;
    }
    slowestMs = Math.max(slowestMs, instance.spec.manifest.stopTimeoutMs);
    instance.take({ type: "stop" });
  }
  if (site.holders.size > 0) await exits(site, slowestMs + limits.shutdownGraceMs);
  site.watch.stop();
  site.leases.close();
}

function exits(site: Site, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, withinMs);
    site.drained = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

function inventoryOfWaiting({ action }: WaitingStart): InventoryInstance {
  const { instance, service, manifest } = action;
  const { name, version } = manifest;
  return { instance, service, type: name, version, state: "starting", health: "unknown" };
}
