import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Spawn } from "../../core/index.ts";
import type { RunnerEvent, RunnerSpec } from "../runner.ts";
import { type Hosted, hostedOf } from "./hosted.ts";
import type { RuntimeOptions } from "./runtime.ts";
import { configValuesOf } from "./secrets.ts";

/** Brings an instance to life without waiting for anything. Throws what its runner throws; then nothing of it runs. */
export type Start = (spawn: Spawn, listener: (event: RunnerEvent) => void) => Hosted;

/** Starts instances with the runners of a node. */
export function createStart(options: RuntimeOptions): Start {
  const { node, blobPath, dataDir, runners, kept } = options;
  const made = new Set<string>();
  const makeDirectory = (directory: string) => {
    if (made.has(directory)) return;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    made.add(directory);
  };
  // No await in here: a restart is measured in hundreds of microseconds.
  return (spawn, listener) => {
    const { manifest, config, lease } = spawn;
    const directory = join(dataDir, "services", spawn.service);
    const configValues = configValuesOf(config);
    // Before anything is started: a secret that cannot be read is the reason, and named.
    configValues();
    makeDirectory(directory);
    const startRunner = lease === undefined ? runners[manifest.kind] : kept;
    if (startRunner === undefined) {
      throw new Error(`services of kind ${manifest.kind} cannot be run on ${node}`);
    }
    const peers = options.directory;
    const spec: RunnerSpec = { ...spawn, node, configValues, blobPath, directory, peers };
    // Before anything else is computed: the new process comes to life while this thread goes on.
    const runner = startRunner(spec, listener);
    return hostedOf(spec, runner);
  };
}
