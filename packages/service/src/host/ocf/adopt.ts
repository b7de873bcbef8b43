import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { bootId } from "../process/proc.ts";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";
import type { Adopt } from "../runtime/runtime.ts";
import { configValuesOf } from "../runtime/secrets.ts";
import { endProcesses, markPath, processesOf, rootsOf } from "./processes.ts";
import { type ResourceRecord, readRecord, removeRecord } from "./record.ts";
import { resumeOcf } from "./runner.ts";

/**
 * Finds the OCF resources of an earlier `halond`, and ends what is left of those that no record speaks of.
 *
 * Whether an adopted one still runs is asked of its agent at once, and told like any later change. An exclusive one has
 * lost its keeper with that `halond`: its processes are killed here, and its agent gives up the rest.
 */
export const adoptOcf: Adopt = async ({ servicesDirectory, node, blobPath }, onFound) => {
  const home = resolve(servicesDirectory);
  for (const service of namesIn(home)) {
    const directory = join(home, service);
    const found = readRecord(directory);
    const reason =
      found.type === "record"
        ? whyNot(found.record, { home, service, node })
        : found.type === "damaged"
          ? found.reason
          : undefined;
    if (found.type === "record" && reason === undefined) {
      const spec = specOf(found.record, { directory, blobPath });
      const [first] = rootsOf(processesOf({ home, service, directory }));
      const osPid = first?.pid ?? 0;
      if (spec.lease !== undefined) await endProcesses({ home, service, directory }, false);
      const watch = spec.lease === undefined ? resumeOcf : endKept;
      onFound({ type: "adopted", spec, osPid, watch: (listener) => watch(spec, listener) });
      continue;
    }
    if (reason !== undefined) {
      removeRecord(directory);
      onFound({ type: "dropped", service, reason });
    }
    if (existsSync(markPath(directory))) await endLeft({ home, service, directory }, onFound);
  }
};

function whyNot(
  record: ResourceRecord,
  {
    home,
    service,
    node,
  }: { readonly home: string; readonly service: string; readonly node: string },
): string | undefined {
  if (record.bootId !== bootId()) return "it ended with the machine, which was restarted";
  if (record.service !== service) return `the record is that of the service ${record.service}`;
  if (record.node !== node) return `it was started for the node ${record.node}`;
  // A directory that was moved is no longer there; one that still is has the resource, and this is a copy.
  if (record.home !== home && existsSync(record.home)) return `it belongs to ${record.home}`;
  return undefined;
}

function specOf(
  { node, service, instance, manifest, config, configHash, lease }: ResourceRecord,
  place: Pick<RunnerSpec, "directory" | "blobPath">,
): RunnerSpec {
  const configValues = configValuesOf(config);
  const spec = { node, service, instance, manifest, config, configHash, configValues, ...place };
  return lease === undefined ? spec : { ...spec, lease };
}

/** Ends an exclusive resource of which nobody watches the lease any more. */
function endKept(spec: RunnerSpec, listener: (event: RunnerEvent) => void): Runner {
  const runner = resumeOcf(spec, listener);
  const reason = "its keeper went with the halond before: it must not run without one";
  // After it has begun, in the same turn.
  setImmediate(() => {
    listener({ type: "problem", code: "HAL_FAILED", reason, cause: "lease" });
    runner.kill();
  });
  return runner;
}

async function endLeft(
  place: { readonly home: string; readonly service: string; readonly directory: string },
  onFound: Parameters<Adopt>[1],
): Promise<void> {
  const [first] = rootsOf(processesOf(place));
  if (first === undefined) return;
  const left = await endProcesses(place, false);
  const { service } = place;
  const at = { service, instance: `${service} (OCF)`, osPid: first.pid };
  if (left.length === 0) {
    const reason = `process ${first.pid} of ${service} was ended: there is no record to go on with it`;
    onFound({ type: "ended", ...at, reason });
    return;
  }
  const pids = left.map(({ pid }) => pid).join(", ");
  const reason = `processes ${pids} of ${service} are still there after SIGKILL; end them by hand or restart the machine`;
  onFound({ type: "lingers", ...at, reason });
}

/** Empty when there is no such directory yet. */
function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
