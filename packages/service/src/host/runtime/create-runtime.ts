import { join } from "node:path";
import { type CommandAction, HalonError } from "@halon/protocol";
import { call } from "./asking.ts";
import type { Runtime, RuntimeOptions } from "./runtime.ts";
import { SiteDriver } from "./site-driver.ts";

/** Builds the supervisor and service host of a node. Nothing runs until the first command or `adopt`. */
export function createRuntime(options: RuntimeOptions): Runtime {
  const driver = new SiteDriver(options);
  const { site } = driver;
  const perform = (action: CommandAction, command?: string) =>
    driver.feed((now) => site.perform(action, command, now));
  const notRunning = (instance: string) =>
    new HalonError("HAL_SERVICE_NOT_RUNNING", `${instance} does not run on ${options.node}.`);
  return {
    perform,
    start: perform,
    stop: perform,
    check: perform,
    reportStatus: perform,
    reconfigure: perform,
    answerTrouble: perform,
    async call(instance, message, args, timeoutMs) {
      const hosted = site.isRunning(instance) ? driver.hosted(instance) : undefined;
      if (hosted === undefined) throw notRunning(instance);
      return call(hosted, message, args, timeoutMs);
    },
    async probe(instance) {
      const answer = await driver.probe(instance);
      if (answer === null) throw notRunning(instance);
      return answer;
    },
    samples: () =>
      site.inventory().flatMap(({ instance }) => {
        const hosted = driver.hosted(instance);
        if (hosted === undefined) return [];
        const { manifest, lease } = hosted.spec;
        // Another process cannot end this one by its memory; under a lease a worker type runs in one.
        const isHere = manifest.kind === "worker" && lease === undefined;
        const memoryMb = isHere ? hosted.runner.memoryMb() : undefined;
        return memoryMb === undefined ? [] : [{ instance, memoryMb }];
      }),
    inventory: () =>
      site.inventory().map((shown) => {
        const osPid = driver.hosted(shown.instance)?.runner.osPid;
        return osPid === undefined ? shown : { ...shown, osPid };
      }),
    supervise(isMonitored) {
      driver.supervise(isMonitored);
      return site.watched().length;
    },
    looks: () => site.looks(),
    leased: () => site.leased(),
    renew: (instance, untilMs) => driver.feed((now) => site.renewed(instance, untilMs, now)),
    adopt: () => adopt(driver, options),
    shutdown: ({ keep }) => driver.shutdown(keep),
  };
}

async function adopt(driver: SiteDriver, options: RuntimeOptions): Promise<void> {
  const { node, dataDir, blobPath, adopters = [] } = options;
  const servicesDirectory = join(dataDir, "services");
  for (const find of adopters) {
    await find({ node, servicesDirectory, blobPath }, (found) => driver.adopt(found));
  }
}
