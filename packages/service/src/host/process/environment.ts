import { dirname, resolve } from "node:path";
import type { RunnerSpec } from "../runner.ts";
import { homeMark, instanceMark, nodeMark, serviceMark } from "./mark.ts";
import type { ProcessManifest } from "./record.ts";
import { fill } from "./template.ts";

/** All that a program sees of the environment of `halond`: its secrets and Node's options stay with it. */
const inherited = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER"];

/** The services directory that an instance is started under. */
export function homeOf(spec: Pick<RunnerSpec, "directory">): string {
  return dirname(resolve(spec.directory));
}

/** The environment of an OS process, with the values of its secrets. Throws HAL_SCHEMA_VIOLATION and HAL_CONFIG_INVALID. */
export function environmentOf(
  spec: RunnerSpec,
  described: Pick<ProcessManifest, "env">,
): Record<string, string> {
  const env = inheritedEnvironment();
  const templates = Object.entries(described.env);
  const values = templates.length === 0 ? spec : { ...spec, config: spec.configValues() };
  for (const [name, template] of templates) env[name] = fill(template, values);
  // Last: a manifest must not be able to hide a process from the next halond.
  return { ...env, ...marksOf(spec) };
}

/** What every process gets of the environment of `halond`. */
export function inheritedEnvironment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of inherited) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** By what the next `halond` knows a process, and what an exclusive one has to know of its lease. */
export function marksOf(spec: RunnerSpec): Record<string, string> {
  const { lease } = spec;
  return {
    [instanceMark]: spec.instance,
    [serviceMark]: spec.service,
    [nodeMark]: spec.node,
    [homeMark]: homeOf(spec),
    ...(lease === undefined
      ? {}
      : { HALON_FENCING_TOKEN: String(lease.token), HALON_LEASE_MS: String(lease.leaseMs) }),
  };
}
