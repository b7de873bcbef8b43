import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JsonObject, ServiceManifest } from "@halon/protocol";
import type { RunnerSpec } from "../runner.ts";
import { configValuesOf } from "../runtime/secrets.ts";
import { manifestOf } from "../runtime/testing.ts";
import { describeAgent } from "./describe.ts";
import { makeScratch } from "./environment.ts";
import { endProcesses, processesOf } from "./processes.ts";

/** The agents of the package resource-agents, which some suites need. */
export const debianAgents = "/usr/lib/ocf";
export const hasDebianAgents =
  existsSync(join(debianAgents, "resource.d/heartbeat/Dummy")) && process.getuid?.() === 0;
/** Agents that misbehave. */
export const testAgents = fileURLToPath(new URL("../../../testdata/ocf", import.meta.url));

/** A services directory of a test. */
export interface OcfHome {
  readonly path: string;
  /** A spec of a service of this agent, whose deadlines suit a test. */
  spec(
    agent: string,
    config?: JsonObject,
    changes?: Partial<ServiceManifest> & { readonly incarnation?: number },
  ): Promise<RunnerSpec>;
  /** What runs of a service. */
  pidsOf(service: string): readonly number[];
  /** The calls that the scripted agent has noted. */
  calls(): readonly string[];
  /** Ends everything that was started under it. */
  close(): Promise<void>;
}

export function openOcfHome(): OcfHome {
  const path = mkdtempSync(join(tmpdir(), "halon-ocf-"));
  const placeOf = (service: string) => ({ home: path, service, directory: join(path, service) });
  return {
    path,
    async spec(agent, config = {}, { incarnation = 1, ...changes } = {}) {
      const { configurationSchema, actions } = await describeAgent(agent);
      const directory = join(path, "web");
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const given: JsonObject =
        agent === "ocf:test:scripted"
          ? { pidfile: join(path, "pid"), calls: join(path, "calls"), ...config }
          : config;
      return {
        node: "node-1",
        service: "web",
        instance: `web@node-1#${incarnation}`,
        manifest: manifestOf({
          kind: "ocf",
          ocf: { agent, actions },
          configurationSchema,
          startTimeoutMs: 20_000,
          stopTimeoutMs: 5_000,
          checkEveryMs: 60_000,
          checkTimeoutMs: 10_000,
          ...changes,
        }),
        config: given,
        configHash: "0".repeat(64),
        configValues: configValuesOf(given),
        blobPath: (hash) => `/blobs/${hash}`,
        directory,
      };
    },
    pidsOf: (service) => processesOf(placeOf(service)).map(({ pid }) => pid),
    calls() {
      const file = join(path, "calls");
      return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
    },
    async close() {
      for (const service of readdirSync(path)) await endProcesses(placeOf(service), false);
      rmSync(makeScratch(placeOf("web")), { recursive: true, force: true });
      rmSync(path, { recursive: true, force: true });
    },
  };
}
