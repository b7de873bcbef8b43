import { startOcf } from "../ocf/runner.ts";
import { homeOf } from "../process/environment.ts";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";
import { launchKeeper } from "./launch.ts";
import type { KeeperEvent } from "./link.ts";

/**
 * Starts a resource through its OCF agent, and a keeper that kills all processes of it when the lease ends.
 *
 * What a resource is beside its processes, such as an address, stays until the agent stops it. It does not outlive
 * `halond`: the next one would not renew its lease.
 */
export function startKeptResource(
  spec: RunnerSpec,
  listener: (event: RunnerEvent) => void,
): Runner {
  let isKeeperGone = false;
  let end: RunnerEvent | undefined;
  const hearResource = (event: RunnerEvent) => {
    if (event.type !== "exited") {
      listener(event);
      return;
    }
    end = event;
    if (isKeeperGone) listener(event);
    else keeper.dismiss();
  };
  const hearKeeper = (event: KeeperEvent) => {
    if (event.type === "expired") {
      const reason = "its lease has ended: nobody renewed it in time";
      listener({ type: "problem", code: "HAL_FAILED", reason, cause: "lease" });
    }
    if (event.type !== "gone") return;
    isKeeperGone = true;
    if (end !== undefined) {
      listener(end);
      return;
    }
    const reason = "its keeper has ended";
    listener({ type: "problem", code: "HAL_FAILED", reason, cause: "exit" });
    resource.kill();
  };
  const { service, directory } = spec;
  const place = { home: homeOf(spec), service, directory };
  // First: the keeper takes its orders even when this process ends right after.
  const keeper = launchKeeper({ spec, command: null, env: {}, resource: place }, hearKeeper);
  let resource: Runner;
  try {
    resource = startOcf(spec, hearResource);
  } catch (error) {
    keeper.dismiss();
    keeper.release();
    throw error;
  }
  const osPid = () => resource.osPid;
  return {
    ...resource,
    get osPid() {
      return osPid();
    },
    renew: (untilMs) => keeper.renew(untilMs),
    release: () => false,
  };
}
