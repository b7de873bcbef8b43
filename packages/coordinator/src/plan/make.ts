import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type ClusterSpec, fromErrorData, HalonError, type PlannedActions } from "@halon/protocol";
import type { FromPlan, PlanData } from "./wire.ts";

/** Memory that the thread of a plan may use, in MiB: for the state and the rule files. */
const heapMib = 2_048;

/** A cluster file that is to be planned, with the code of those rule files that the cluster lacks, by hash. */
export interface PlanRequest {
  readonly spec: ClusterSpec;
  readonly code: ReadonlyMap<string, string>;
}

/**
 * Decides what a cluster file would lead to, in a thread of its own which is given a copy of the coordinator's state.
 *
 * Nothing of it is left behind. Errors: HAL_CONFIG_INVALID when it would be refused, HAL_FAILED when code of a rule file has no
 * end or uses up the memory, HAL_TIMEOUT.
 */
export async function makePlan(
  { spec, code }: PlanRequest,
  given: Pick<PlanData, "snapshot" | "dataDir" | "suspects">,
  timeoutMs: number,
): Promise<PlannedActions> {
  const ownDir = await mkdtemp(join(tmpdir(), "halon-plan-"));
  try {
    for (const [hash, text] of code) await writeFile(join(ownDir, `${hash}.mjs`), text);
    return await runThread({ ...given, spec, ownDir, own: [...code.keys()] }, timeoutMs);
  } finally {
    await rm(ownDir, { recursive: true, force: true });
  }
}

function runThread(workerData: PlanData, timeoutMs: number): Promise<PlannedActions> {
  const resourceLimits = { maxOldGenerationSizeMb: heapMib };
  const worker = new Worker(entry(), { workerData, resourceLimits, name: "plan" });
  return new Promise<PlannedActions>((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(late);
      settle();
      void worker.terminate();
    };
    const fail = (error: HalonError): void => end(() => reject(error));
    const late = setTimeout(() => {
      const message = `The plan was not made within ${timeoutMs} ms. Nothing was changed.`;
      fail(new HalonError("HAL_TIMEOUT", message));
    }, timeoutMs);
    worker.on("message", (message: FromPlan) => {
      if (message.type === "failed") fail(fromErrorData(message.error));
      else end(() => resolve(message.actions));
    });
    worker.on("error", (cause) => {
      const message = `The thread that made the plan ended: ${cause.message}. Nothing was changed.`;
      fail(new HalonError("HAL_FAILED", message, { cause }));
    });
    worker.on("exit", () => {
      fail(new HalonError("HAL_FAILED", "The thread that made the plan ended. Try again."));
    });
  });
}

function entry(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL("../../dist/bundle/plan.js", here)
    : new URL("../bundle/plan.js", here);
}
