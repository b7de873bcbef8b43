import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { HalonError, type PlannedActions, toErrorData } from "@halon/protocol";
import { openBlobs } from "../blob/open.ts";
import { decodeSnapshot, Plan } from "../core/index.ts";
import { runWithin } from "../realm/deadline.ts";
import { hardenThread } from "../realm/harden.ts";
import { type Loaded, loadRuleSet, type RuleFileHost } from "../realm/load.ts";
import type { FromPlan, PlanData } from "./wire.ts";

/** How long one step of decisions may take: nobody waits for this thread but who asked for the plan. */
const stepMs = 4_000;
/** As long as the cluster file itself may take, where no rule file is to blame for more: a machine may be busy. */
const applyMs = 12_000;
/** Beyond it nothing more is decided. */
const allMs = 20_000;

const port = parentPort;
if (port === null) throw new Error("the entry of plans runs in a worker thread only");
const data = workerData as PlanData;
const tell = (message: FromPlan): void => port.postMessage(message);

// What an author's code leaves behind of its own promises is nobody's.
process.on("unhandledRejection", () => undefined);

try {
  tell({ type: "planned", actions: await makePlan() });
} catch (error) {
  tell({ type: "failed", error: toErrorData(error) });
}

async function makePlan(): Promise<PlannedActions> {
  const until = performance.now() + allMs;
  let plan = new Plan(decodeSnapshot(data.snapshot));
  hardenThread();
  const running: Running = { file: null, since: 0 };
  const host = await hostOf(running);
  const failures = new Map<string, string>();
  const load = async (before: Pick<Loaded, "scripts">): Promise<Loaded> => {
    const loaded = await loadRuleSet(plan.graph, host, before);
    for (const { file, reason } of [...loaded.failures, ...loaded.missing])
      failures.set(file, reason);
    return loaded;
  };
  const outcome = (ended: string | null): PlannedActions =>
    plan.outcome(
      [...failures].map(([file, reason]) => ({ file, reason })),
      ended,
    );
  let loaded = await load({ scripts: new Map() });
  // What cannot be loaded today has nothing to do with the plan.
  failures.clear();
  let refused = within(running, stepMs, () => plan.apply(loaded.rules, data.spec));
  if (refused === null) {
    plan = new Plan(decodeSnapshot(data.snapshot));
    refused = within(running, applyMs, () => plan.apply(loaded.rules, data.spec));
  }
  if (refused === null) return outcome(tooLong);
  if (refused.value !== null)
    throw new HalonError("HAL_CONFIG_INVALID", `Apply would be refused: ${refused.value}.`);
  for (;;) {
    if (plan.hasOtherRules()) loaded = await load(loaded);
    if (performance.now() > until) return outcome(tooLong);
    const went = within(running, stepMs, () => plan.goOn(loaded.rules));
    if (went === null) return outcome(tooLong);
    if (!went.value) return outcome(null);
  }
}

const tooLong = `deciding it took too long; what is shown was decided by then`;

/** Whose code runs, and since when. */
interface Running {
  file: string | null;
  since: number;
}

/** Runs a step; null: it was ended, and no rule file was to blame. */
function within<T>(
  running: Running,
  deadlineMs: number,
  work: () => T,
): { readonly value: T } | null {
  const done = runWithin(deadlineMs, work);
  if (done !== null) return done;
  const { file, since } = running;
  const ranMs = Math.round(performance.now() - since);
  if (file === null || ranMs < stepMs / 2) return null;
  const message = `The code of rule file ${file} ran ${ranMs} ms without an end while the plan was made. Nothing was changed; applied like this, it would be in quarantine. Correct it, and plan again.`;
  throw new HalonError("HAL_FAILED", message);
}

async function hostOf(running: Running): Promise<RuleFileHost> {
  const blobs = await openBlobs(data.dataDir);
  const own = new Set(data.own);
  return {
    blobPath: (hash) => (own.has(hash) ? join(data.ownDir, `${hash}.mjs`) : blobs.path(hash)),
    hasBlob: async (hash) => own.has(hash) || (await blobs.has(hash)),
    missing: () => undefined,
    files: () => undefined,
    running: (file) => {
      running.file = file === "builtin" ? null : file;
      running.since = performance.now();
    },
    suspects: new Map(data.suspects.map(({ blob, reason }) => [blob, reason])),
  };
}
