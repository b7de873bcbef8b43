import { HalonError, type JsonObject } from "@halon/protocol";
import type { RuleFileCheck, TypeProblem } from "@halon/service/host";
import type { Command } from "commander";
import { ViolationFound } from "../failure.ts";
import type { Io } from "../io.ts";
import type { Printer } from "../output/print.ts";
import { oneLine } from "../output/table.ts";
import { optionsOf } from "./rule-arguments.ts";
import { type GlobalOptions, settingsOf } from "./session.ts";

/** What is wrong with the file itself. */
const violations: readonly string[] = [
  "HAL_COMPILE_FAILED",
  "HAL_CONFIG_INVALID",
  "HAL_NOT_BUILT",
  "HAL_TOO_LARGE",
];

/** `rule check`: works without a cluster. */
export function addRuleCheck(rule: Command, io: Io): void {
  rule
    .command("check")
    .description("compile and load a rule file and check its types; exit code 7 if it fails")
    .argument("<file>")
    .argument("[options...]", "what the file is given, as name=value")
    .action(async (file: string, given: readonly string[], _: object, command: Command) => {
      const options: GlobalOptions = command.optsWithGlobals();
      show(settingsOf(io, options).print, file, await check(file, given));
    });
}

async function check(file: string, given: readonly string[]): Promise<RuleFileCheck> {
  const options = optionsOf(given);
  // The compiler is large, and most commands do without it.
  const { checkRuleFile } = await import("@halon/service/host");
  try {
    return await checkRuleFile(file, options as JsonObject);
  } catch (error) {
    if (error instanceof HalonError && violations.includes(error.code))
      throw new ViolationFound(error.message);
    throw error;
  }
}

function show(print: Printer, file: string, { manifest, problems, notice }: RuleFileCheck): void {
  if (print.format !== "table" && print.format !== "wide") {
    const { rules, events, invariants = [], options } = manifest;
    const types = events.map(({ type }) => type);
    print.one(
      { file: manifest.name, rules, events: types, invariants, options, problems, notice },
      file,
    );
  } else for (const problem of problems) print.text(`${lineOf(problem)}\n`);
  if (notice !== undefined) print.say(notice);
  if (problems.length > 0)
    throw new ViolationFound(
      `${file} has ${problems.length} type error${problems.length === 1 ? "" : "s"}. The first: ${oneLine(lineOf(problems[0]))}`,
    );
  if (print.format === "table" || print.format === "wide")
    print.text(`${file}: ${manifest.rules.length} rules, no errors\n`);
}

function lineOf(problem: TypeProblem | undefined): string {
  if (problem === undefined) return "";
  const { file, line, column, message } = problem;
  return `${file}:${line}:${column} ${message}`;
}
