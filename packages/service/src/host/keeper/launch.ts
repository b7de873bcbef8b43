import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { HalonError } from "@halon/protocol";
import { monotonicMs } from "../monotonic.ts";
import type { ResourcePlace } from "../ocf/processes.ts";
import { homeOf, inheritedEnvironment, marksOf } from "../process/environment.ts";
import { instanceMark } from "../process/mark.ts";
import { outputPath } from "../process/output.ts";
import { readStat } from "../process/proc.ts";
import type { RunnerSpec } from "../runner.ts";
import { threadEntry } from "../thread-entry.ts";
import { withDeathSignal } from "./death-signal.ts";
import { type Keeper, type KeeperEvent, KeeperLink } from "./link.ts";
import { keeperFd, send } from "./wire.ts";

/** What is run under a keeper: a program, or what an OCF agent starts. */
export interface KeptLaunch {
  readonly spec: RunnerSpec;
  readonly command: readonly [string, ...string[]] | null;
  readonly env: Readonly<Record<string, string>>;
  readonly resource?: ResourcePlace;
}

/** A small heap for the little that it does. */
const flags = ["--max-old-space-size=32", "--max-semi-space-size=1"];

/**
 * Starts a keeper and the program under it, in the directory of the service; nothing is told from within the call.
 *
 * `spec.lease` must be there. Throws HAL_PLATFORM when no process can be made.
 */
export function launchKeeper(launch: KeptLaunch, listener: (event: KeeperEvent) => void): Keeper {
  const { spec, command, env, resource } = launch;
  const child = spawnKeeper(spec);
  const socket = child.stdio[keeperFd];
  const startTime = child.pid === undefined ? undefined : readStat(child.pid)?.startTime;
  if (child.pid === undefined || startTime === undefined || !(socket instanceof Socket)) {
    child.once("error", () => undefined);
    child.kill("SIGKILL");
    const message =
      "no process could be made for the keeper; see the limits of halond (ulimit -u, -n)";
    throw new HalonError("HAL_PLATFORM", message);
  }
  const id = { pid: child.pid, startTime };
  const link = new KeeperLink(id, socket, listener, () => child.unref());
  let open = 2;
  const closed = () => {
    open -= 1;
    if (open === 0) link.gone();
  };
  child.once("exit", closed);
  socket.once("close", closed);
  send(socket, {
    type: "start",
    command: command === null ? null : withDeathSignal(command),
    env,
    untilMs: firstEndOf(spec),
    home: homeOf(spec),
    instance: spec.instance,
    ...(resource === undefined ? {} : { resource }),
  });
  return link;
}

function spawnKeeper(spec: RunnerSpec): ChildProcess {
  const output = openSync(outputPath(spec.directory), "a", 0o600);
  try {
    return spawn(process.execPath, [...flags, fileURLToPath(threadEntry("keeper/entry"))], {
      cwd: spec.directory,
      env: {
        ...inheritedEnvironment(),
        ...marksOf(spec),
        // Not the mark of the instance: who looks for what is left of that must not find the keeper.
        [instanceMark]: `keeper of ${spec.instance}`,
        UV_THREADPOOL_SIZE: "1",
      },
      detached: true,
      stdio: ["ignore", output, output, "pipe"],
    });
  } finally {
    closeSync(output);
  }
}

function firstEndOf({ lease, instance }: RunnerSpec): number {
  if (lease === undefined) {
    throw new HalonError("HAL_INTERNAL", `${instance} is to be kept, and has no lease`);
  }
  return lease.untilMs ?? monotonicMs() + lease.leaseMs;
}
