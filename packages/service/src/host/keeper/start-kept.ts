import { HalonError } from "@halon/protocol";
import { NodeProcess } from "../node-process/node-process.ts";
import { describeFailure, failLater } from "../process/failed-start.ts";
import { sizeOfOutput } from "../process/output.ts";
import { type Plan, planStart, recordOf } from "../process/plan.ts";
import { noWatch, runProcess, tryToWrite } from "../process/process-runner.ts";
import { isThere } from "../process/spare.ts";
import type { RunnerEvent, RunnerSpec, StartRunner } from "../runner.ts";
import { KeptProcess } from "./kept-process.ts";
import { startKeptResource } from "./kept-resource.ts";
import { launchKeeper } from "./launch.ts";

/**
 * Starts an instance under a keeper: a small process that ends it, its group and its session, when its lease ends.
 *
 * `spec.lease` must be there. Of every kind but `systemd`; a worker type runs as a Node process.
 */
export const startKept: StartRunner = (spec, listener) => {
  const { kind } = spec.manifest;
  let plan: Plan | undefined;
  try {
    if (kind === "process") {
      plan = planStart(spec);
      return startKeptProcess(spec, plan, listener);
    }
    if (kind === "ocf") return startKeptResource(spec, listener);
    if (kind === "node-process" || kind === "worker") return startKeptNode(spec, listener);
    throw new HalonError(
      "HAL_SERVICE_START",
      `services of kind ${kind} cannot be exclusive, as nothing could end them with their lease; use an OS process`,
    );
  } catch (error) {
    return failLater(listener, Promise.resolve(describeFailure(error, plan?.command[0], spec)));
  }
};

function startKeptProcess(spec: RunnerSpec, plan: Plan, listener: (event: RunnerEvent) => void) {
  const { command, env, process } = plan;
  // Asked here: what stands between keeper and program says less of it.
  if (!isThere({ command, env, cwd: spec.directory })) {
    throw Object.assign(new Error("not found"), { code: "ENOENT" });
  }
  const outputStart = sizeOfOutput(spec.directory);
  const { token = 0, leaseMs = 0 } = spec.lease ?? {};
  return new KeptProcess({
    spec,
    listener,
    program: command[0],
    outlives: true,
    run(program, keeper, hear) {
      const kept = { ...keeper, token, leaseMs };
      const record = recordOf(spec, plan, { ...program, outputStart, keeper: kept });
      tryToWrite(spec.directory, record);
      return runProcess({ spec, process, record, watch: noWatch, listener: hear });
    },
    reach: (hear) => launchKeeper({ spec, command, env }, hear),
  }).runner;
}

function startKeptNode(spec: RunnerSpec, listener: (event: RunnerEvent) => void) {
  const node = new NodeProcess(spec, listener);
  try {
    return new KeptProcess({
      spec,
      listener(event) {
        // Of one that has never run, nobody else closes the way to it.
        if (event.type === "exited") node.abandon();
        listener(event);
      },
      program: node.command[0],
      outlives: false,
      run: (program, _keeper, hear) => node.run(program, hear),
      reach: (hear) => launchKeeper({ spec, command: node.command, env: node.env }, hear),
    }).runner;
  } catch (error) {
    node.abandon();
    throw error;
  }
}
