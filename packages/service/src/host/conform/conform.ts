import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { HalonError, type JsonObject, type ServiceManifest } from "@halon/protocol";
import { compileServiceFile } from "../compile/compile-service.ts";
import type { CompiledService } from "../compile/compiled.ts";
import { linkPackages } from "../compile/links.ts";
import { startNodeProcess } from "../node-process/index.ts";
import { startOcf } from "../ocf/runner.ts";
import { startProcess } from "../process/index.ts";
import { checkConfig } from "../runtime/configuration.ts";
import { startSystemd } from "../systemd/runner.ts";
import { startWorker } from "../worker/start-worker.ts";
import { type Check, checkList } from "./check-list.ts";
import { Finding, NotForIt, textOf } from "./finding.ts";
import {
  type CheckName,
  type CheckOutcome,
  type CheckReport,
  type ConformOptions,
  type ConformReport,
  checkTitles,
} from "./report.ts";
import { problemOfSchemas } from "./schema-problem.ts";
import { type SecretReferences, sampleConfig } from "./schema-values.ts";
import { Stage, type StageOptions } from "./stage.ts";

const runners = {
  worker: startWorker,
  process: startProcess,
  "node-process": startNodeProcess,
  ocf: startOcf,
  systemd: startSystemd,
};
const detailCharsMax = 1_000;
/** What a check may take beside the deadlines of the type. */
const checkMs = 60_000;

/**
 * Drives the type of a service file through the contract of services, without a cluster, in a temporary directory.
 *
 * Every check has an instance and a deadline of its own; a check that fails ends no other. What the checks leave is ended. One at
 * a time in a process, whose TMPDIR is the temporary directory meanwhile. Throws HAL_NOT_FOUND when there is no such file, and
 * HAL_USAGE when the configuration that was given does not fit, or none can be made up.
 */
export async function conformService(
  path: string,
  options: ConformOptions = {},
): Promise<ConformReport> {
  const file = resolve(path);
  if (!(statSync(file, { throwIfNoEntry: false })?.isFile() ?? false)) {
    throw new HalonError("HAL_NOT_FOUND", `There is no file ${file}.`);
  }
  const checks: CheckReport[] = [];
  const report = async (check: CheckName, run: () => Promise<Result>) => {
    options.began?.(check);
    const beganAt = performance.now();
    const { outcome, detail } = await settle(run);
    const durationMs = Math.round(performance.now() - beganAt);
    const title = checkTitles[check];
    const ended = { check, title, outcome, detail: detail.slice(0, detailCharsMax), durationMs };
    checks.push(ended);
    options.ended?.(ended);
  };

  let compiled: CompiledService | undefined;
  await report("loads", async () => {
    compiled = await compileServiceFile(file);
    const problem = problemOfSchemas(compiled.manifest);
    if (problem !== undefined) throw new Finding(problem);
    return { outcome: "ok", detail: "" };
  });
  if (compiled !== undefined && checks[0]?.outcome === "ok") {
    await perform(compiled, options, report);
  }
  const { name, version, kind } = (compiled as CompiledService | undefined)?.manifest ?? {};
  return { file, type: name, version, kind, checks };
}

interface Result {
  readonly outcome: CheckOutcome;
  readonly detail: string;
}

async function settle(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof NotForIt) return { outcome: "skipped", detail: error.message };
    return { outcome: "failed", detail: textOf(error) };
  }
}

async function perform(
  compiled: CompiledService,
  options: ConformOptions,
  report: (check: CheckName, run: () => Promise<Result>) => Promise<void>,
): Promise<void> {
  const { manifest } = compiled;
  const place = openPlace(compiled);
  const temporary = process.env["TMPDIR"];
  // Threads and programs get it from here, and so does what they start: by that it is known.
  process.env["TMPDIR"] = place.base;
  try {
    const config = configOf(manifest, options.config, place.secrets);
    const failed = new Set<CheckName>();
    for (const [name, check] of Object.entries(checkList) as [CheckName, Check][]) {
      if (options.only !== undefined && options.only !== name) continue;
      if (options.signal?.aborted === true) return;
      const stageOptions: StageOptions = {
        manifest,
        config,
        runners,
        base: place.base,
        directory: mkdtempSync(join(place.base, "s-")),
        blobPath: place.blobPath,
      };
      await report(name, async () => {
        try {
          if (check.needsStart && failed.has("starts")) throw new NotForIt("it does not start");
          return await onStage(stageOptions, check, place.secrets, !failed.has("stops"));
        } catch (error) {
          if (!(error instanceof NotForIt)) failed.add(name);
          throw error;
        }
      });
    }
  } finally {
    if (temporary === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = temporary;
    place.close();
  }
}

async function onStage(
  options: StageOptions,
  check: Check,
  secrets: SecretReferences,
  isGentle: boolean,
): Promise<Result> {
  requireRunnable(options.manifest);
  const { startTimeoutMs, stopTimeoutMs } = options.manifest;
  const deadlineMs = check.rounds(options) * (startTimeoutMs + stopTimeoutMs) + checkMs;
  const stage = new Stage(options);
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      const due = () => reject(new Finding(`it did not come to an end within ${deadlineMs} ms`));
      timer = setTimeout(due, deadlineMs);
    });
    return await Promise.race([check.run(stage, secrets), late]);
  } finally {
    clearTimeout(timer);
    await stage.close(isGentle);
  }
}

function requireRunnable({ kind }: ServiceManifest): void {
  if (kind === "systemd" && !existsSync("/run/systemd/system")) {
    throw new NotForIt("systemd does not run on this machine");
  }
}

interface Place {
  readonly base: string;
  readonly secrets: SecretReferences;
  blobPath(hash: string): string;
  close(): void;
}

/** The same for all calls in a process: a spare thread may have got it as its TMPDIR before. */
let base: string | undefined;

function openPlace({ blobs }: CompiledService): Place {
  base ??= mkdtempSync(join(tmpdir(), "halon-conform-"));
  const directory = base;
  const blobPath = (hash: string) => join(directory, "blobs", `${hash}.mjs`);
  mkdirSync(join(directory, "blobs"), { recursive: true, mode: 0o700 });
  linkPackages(directory);
  for (const { hash, bytes } of blobs) writeFileSync(blobPath(hash), bytes, { mode: 0o700 });
  const secrets = ["one", "two"].map((name) => {
    const path = join(directory, `secret-${name}`);
    writeFileSync(path, `made-up-secret-${name}\n`, { mode: 0o600 });
    return { $secret: `file:${path}` };
  });
  return {
    base: directory,
    secrets: secrets as unknown as SecretReferences,
    blobPath,
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** The configuration that the checks begin with. Throws HAL_USAGE. */
function configOf(
  manifest: ServiceManifest,
  given: JsonObject | undefined,
  secrets: SecretReferences,
): JsonObject {
  // What an agent is told it does as root: nothing is made up for it.
  const isAgent = manifest.kind === "ocf" || manifest.kind === "systemd";
  const config = given ?? (isAgent ? {} : sampleConfig(manifest.configurationSchema, secrets));
  const outcome = checkConfig(manifest, config);
  if (outcome.type === "valid") return outcome.config;
  throw new HalonError(
    "HAL_USAGE",
    given === undefined
      ? `A configuration of ${manifest.name} cannot be made up (${outcome.reason}). Give one with --config.`
      : `The given configuration does not fit the schema of ${manifest.name}: ${outcome.reason}.`,
  );
}
