import { HalonError } from "@halon/protocol";
import type { RunnerSpec } from "../runner.ts";
import { environmentOf, homeOf } from "./environment.ts";
import { bootId } from "./proc.ts";
import { probeOf } from "./ready.ts";
import type { ProcessManifest, ProcessRecord } from "./record.ts";
import { fill } from "./template.ts";

/** What is run, with every template filled. */
export interface Plan {
  readonly process: ProcessManifest;
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

/** Fills every template before anything is started. Throws HAL_SCHEMA_VIOLATION, and a SyntaxError for a pattern. */
export function planStart(spec: RunnerSpec): Plan {
  const { process: described } = spec.manifest;
  if (described === undefined) {
    const message = `the service type ${spec.manifest.name} describes no OS process; apply it again`;
    throw new HalonError("HAL_SERVICE_LOAD", message);
  }
  const { ready, check, liveness, stopCommand = [] } = described;
  if (ready.type === "output") new RegExp(ready.pattern);
  for (const probed of [ready, check, liveness]) {
    if (probed.type === "tcp" || probed.type === "http") probeOf(probed, spec);
  }
  for (const template of stopCommand) fill(template, spec);
  const [program = "", ...args] = described.command.map((template) => fill(template, spec));
  return {
    process: described,
    command: [program === "node" ? process.execPath : program, ...args],
    env: environmentOf(spec, described),
  };
}

/** What the next `halond` has to know of a process that has just been started. */
export function recordOf(
  spec: RunnerSpec,
  plan: Plan,
  started: Pick<ProcessRecord, "pid" | "startTime" | "outputStart" | "keeper">,
): ProcessRecord {
  return {
    format: 1,
    ...started,
    bootId: bootId(),
    home: homeOf(spec),
    command: [...plan.command],
    node: spec.node,
    service: spec.service,
    instance: spec.instance,
    type: spec.manifest.name,
    version: spec.manifest.version,
    manifest: spec.manifest,
    config: spec.config,
    configHash: spec.configHash,
    ready: null,
  };
}
