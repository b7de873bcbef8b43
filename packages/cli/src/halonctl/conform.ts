import { HalonError } from "@halon/protocol";
import type { CheckName, CheckReport, ConformReport } from "@halon/service/host";
import type { Command } from "commander";
import { z } from "zod";
import { once } from "../command-line.ts";
import { usage, ViolationFound } from "../failure.ts";
import type { Io } from "../io.ts";
import type { Printer } from "../output/print.ts";
import { clip, oneLine } from "../output/table.ts";
import { type GlobalOptions, settingsOf } from "./session.ts";

interface Options extends GlobalOptions {
  readonly config?: string;
  readonly only?: string;
}

/** `service conform`: works without a cluster. */
export function addConform(service: Command, io: Io): void {
  service
    .command("conform")
    .description("drive the type of a service file through the contract; exit code 7 if it fails")
    .argument("<file>")
    .option("--config <json>", "the configuration (default: made up from its schema)", once)
    .option("--only <check>", "this check alone", once)
    .action(async (file: string, _: object, command: Command) => {
      const options: Options = command.optsWithGlobals();
      const { print } = settingsOf(io, options);
      const report = await conform(io, file, options);
      show(print, report);
      if (io.interrupted.aborted) {
        throw new HalonError("HAL_FAILED", "Interrupted before all checks were made.");
      }
      const failed = namesOf(report, "failed");
      if (failed.length === 0) return;
      throw new ViolationFound(`${report.type ?? file} fails ${failed.join(", ")}.`);
    });
}

async function conform(io: Io, file: string, options: Options): Promise<ConformReport> {
  // Compiler and runners are large, and most commands do without them.
  const { checkTitles, conformService } = await import("@halon/service/host");
  const known = Object.keys(checkTitles) as CheckName[];
  const only = known.find((name) => name === options.only);
  if (options.only !== undefined && only === undefined) {
    const got = JSON.stringify(options.only.slice(0, 50));
    throw usage(`Expected --only to be one of ${known.join(", ")}, got ${got}.`);
  }
  const say = options.quiet === true ? () => undefined : io.err;
  return await conformService(file, {
    config: configOf(options.config),
    only,
    signal: io.interrupted,
    began: (check) => say(`${checkTitles[check]} ... `),
    ended: (ended) => say(`${lineOf(ended)}\n`),
  });
}

function lineOf({ outcome, detail, durationMs }: CheckReport): string {
  if (outcome === "skipped") return `skipped: ${oneLine(detail)}`;
  const why = outcome === "ok" || detail === "" ? "" : `\n  ${oneLine(detail)}`;
  return `${outcome} ${durationMs} ms${why}`;
}

const Config = z.record(z.string(), z.json());

function configOf(text: string | undefined): z.infer<typeof Config> | undefined {
  if (text === undefined) return undefined;
  try {
    return Config.parse(JSON.parse(text));
  } catch {
    const got = JSON.stringify(clip(text, 50));
    throw usage(`Expected --config to be a JSON object such as '{"port": 8080}', got ${got}.`);
  }
}

function show(print: Printer, report: ConformReport): void {
  const counts = {
    passed: report.checks.length - namesOf(report, "failed", "skipped").length,
    failed: namesOf(report, "failed").length,
    skipped: namesOf(report, "skipped").length,
  };
  if (print.format !== "table" && print.format !== "wide") {
    print.one({ ...report, ...counts }, `type/${report.type ?? report.file}`);
    return;
  }
  print.list(
    [
      { title: "CHECK", value: (row) => row.check },
      { title: "OUTCOME", value: (row) => row.outcome, color: (row) => colorOf(print, row) },
      { title: "MS", value: (row) => row.durationMs },
      { title: "DETAIL", value: (row) => row.detail, canShrink: true },
    ],
    report.checks,
    (row) => `check/${row.check}`,
  );
  const { passed, failed, skipped } = counts;
  print.text(`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}\n`);
}

function colorOf({ colors }: Printer, { outcome }: CheckReport): (text: string) => string {
  if (outcome === "ok") return colors.green;
  if (outcome === "failed") return colors.red;
  return outcome === "warned" ? colors.yellow : colors.dim;
}

function namesOf(
  { checks }: ConformReport,
  ...outcomes: readonly CheckReport["outcome"][]
): readonly string[] {
  return checks.filter(({ outcome }) => outcomes.includes(outcome)).map(({ check }) => check);
}
