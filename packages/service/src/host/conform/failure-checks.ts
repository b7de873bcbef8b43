import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ServiceManifest } from "@halon/protocol";
import { Finding, NotForIt, ok, type Verdict } from "./finding.ts";
import { signal } from "./left.ts";
import { requireNothing } from "./life-checks.ts";
import { reasonOf, type Stage, type Started } from "./stage.ts";

/** A death is told by then. */
const toldMs = 2_000;
/** A hang is looked for this often, however seldom the type is checked otherwise. */
const checkEveryMs = 500;
/** A thread or Node process without beats hangs after a second. */
const silentMs = 1_000;
const blockMessage = "conform.block";

export async function killed(stage: Stage): Promise<Verdict> {
  const started = await stage.start();
  const { tap, instance } = started;
  const beganAt = performance.now();
  if (stage.manifest.kind === "worker") tap.runner.kill();
  else for (const pid of pidsOf(stage, started)) signal(pid, "SIGKILL");
  const slowMs = isAsked(stage.manifest) ? slowestMs(stage.manifest) : 0;
  const end = await stage.untilEnd(instance, toldMs + slowMs + 3_000);
  if (end === undefined) throw new Finding("its death was not noticed");
  const ms = Math.round(performance.now() - beganAt);
  if (end.type !== "ServiceFailed") {
    throw new Finding(`its death was told as ${end.type}: ${reasonOf(end)}`);
  }
  if (ms > toldMs + slowMs) throw new Finding(`its death was told after ${ms} ms`);
  await requireNothing(stage);
  await stage.start();
  return ok(`told after ${ms} ms`);
}

export async function hung(stage: Stage): Promise<Verdict> {
  const { manifest } = stage;
  const often = { ...manifest, checkEveryMs: Math.min(manifest.checkEveryMs, checkEveryMs) };
  const isThread = manifest.kind === "worker";
  const started = await stage.start({ manifest: isThread ? blockable(stage, often) : often });
  const { tap, instance } = started;
  const beganAt = performance.now();
  // The message never returns.
  if (isThread) void tap.runner.call(blockMessage, [], 60_000).catch(() => undefined);
  else for (const pid of pidsOf(stage, started)) signal(pid, "SIGSTOP");
  const byBeats = isThread || manifest.kind === "node-process";
  const deadlineMs = byBeats
    ? silentMs
    : manifest.livenessFailures * (often.checkEveryMs + manifest.checkTimeoutMs);
  const slowMs = isAsked(manifest) ? slowestMs(manifest) : 0;
  const end = await stage.untilEnd(instance, deadlineMs + toldMs + slowMs + 3_000);
  if (end === undefined) throw new Finding(`it hung, and was not ended within ${deadlineMs} ms`);
  const ms = Math.round(performance.now() - beganAt);
  if (end.type !== "ServiceFailed") throw new Finding(`it hung, and was told as ${end.type}`);
  await requireNothing(stage);
  await stage.start();
  return ok(`ended after ${ms} ms: ${end.data.reason}`);
}

/** What its agent or systemd is asked to do about an end comes before the end is told. */
function isAsked({ kind }: ServiceManifest): boolean {
  return kind === "ocf" || kind === "systemd";
}

function slowestMs({ stopTimeoutMs, checkTimeoutMs }: ServiceManifest): number {
  return stopTimeoutMs + checkTimeoutMs;
}

/** The processes that are the service; of a program the one that was started, as the others are its own affair. */
function pidsOf(stage: Stage, { tap }: Started): readonly number[] {
  if (stage.manifest.kind === "ocf") {
    const pids = stage.traces().map(({ pid }) => pid);
    if (pids.length > 0) return pids;
  }
  const { osPid } = tap.runner;
  if (osPid !== undefined) return [osPid];
  throw new NotForIt("it has no process");
}

/** The same service with one more message, which blocks its thread for ever. */
function blockable(stage: Stage, manifest: ServiceManifest): ServiceManifest {
  const { base, blobPath } = stage.options;
  const blob = "b".repeat(64);
  const url = pathToFileURL(blobPath(manifest.blob)).href;
  writeFileSync(
    join(base, "blobs", `${blob}.mjs`),
    `import original from ${JSON.stringify(url)};
const block = () => { for (;;); };
export default {
  ...original,
  async start(context) {
    const handlers = (await original.start?.(context)) ?? {};
    return { ...handlers, messages: { ...handlers.messages, ${JSON.stringify(blockMessage)}: block } };
  },
};
`,
  );
  return { ...manifest, blob };
}
