import { trace } from "@halon/coordinator";
import {
  adoptOcf,
  adoptProcesses,
  type RuntimeOptions,
  type StartRunner,
  startKept,
  startNodeProcess,
  startOcf,
  startProcess,
  startSystemd,
  startWorker,
} from "@halon/service/host";

/** How a node runs each kind of service, and what it looks for when it starts. */
export const serviceRunners: Pick<RuntimeOptions, "runners" | "kept" | "adopters"> = {
  runners: {
    worker: traced(startWorker),
    process: traced(startProcess),
    "node-process": traced(startNodeProcess),
    ocf: traced(startOcf),
    systemd: traced(startSystemd),
  },
  kept: traced(startKept),
  adopters: [adoptProcesses, adoptOcf],
};

function traced(startRunner: StartRunner): StartRunner {
  return (spec, listener) => {
    trace("spawn", spec.instance);
    const runner = startRunner(spec, listener);
    trace("spawned", spec.instance);
    return runner;
  };
}
