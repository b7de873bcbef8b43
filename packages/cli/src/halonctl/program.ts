import { type Command, Option } from "commander";
import { addNotBuilt, createProgram, once, repeated } from "../command-line.ts";
import { addInit } from "../init/command.ts";
import type { Io } from "../io.ts";
import { formats } from "../output/print.ts";
import { versionOf } from "../version.ts";
import { addAgency } from "./agency/command.ts";
import { addSnapshot } from "./agency/snapshot.ts";
import { addAlert } from "./alert.ts";
import { addApply } from "./apply.ts";
import { addBreaker } from "./breaker.ts";
import { addEvent } from "./event.ts";
import { addGraph } from "./graph.ts";
import { addNode } from "./node.ts";
import { addRule } from "./rule.ts";
import { addService } from "./service.ts";
import { addStatus } from "./status.ts";
import { addWait } from "./wait.ts";

/** Commands that are reserved and not built (rfc/0003). */
const notBuilt = ["bundle", "why", "why-not", "completion", "dashboard"];
const notBuiltBelow: Readonly<Record<string, readonly string[]>> = {
  rule: ["test", "simulate", "replay", "trace"],
  graph: ["diff"],
};

/** The command line of `halonctl`. */
export function halonctlProgram(io: Io): Command {
  const program = createProgram("halonctl", io)
    .description("The operator's client of a Halon cluster.")
    .option(
      "-e, --endpoint <url>",
      "a node; repeatable (default: HALON_ENDPOINT, or http://127.0.0.1:8528)",
      repeated,
    )
    .addOption(
      new Option("-o, --output <format>", "how data is shown").choices(formats).default("table"),
    )
    .option("--timeout <duration>", "for an answer, or the end of what is waited for", "30s")
    .option("--no-color", "no colours")
    .option("-q, --quiet", "no talk on stderr but errors");
  addInit(program, io);
  addStatus(program, io);
  addApply(program, io);
  addNode(program, io);
  addService(program, io);
  addBreaker(program, io);
  addAlert(program, io);
  addEvent(program, io);
  addRule(program, io);
  addGraph(program, io);
  addWait(program, io);
  addAgency(program, io);
  addSnapshot(program, io);
  program
    .command("version")
    .description("print the version")
    .action(() => io.out(`${versionOf()}\n`));
  program.addOption(new Option("--token-file <file>").argParser(once).hideHelp());
  addNotBuilt(program, notBuilt);
  for (const command of program.commands) {
    addNotBuilt(command, notBuiltBelow[command.name()] ?? []);
  }
  return program;
}
