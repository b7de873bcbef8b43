import type { Command } from "commander";
import { usage } from "../failure.ts";
import type { Io } from "../io.ts";
import { ruleColumns } from "../output/columns.ts";
import { oneLine } from "../output/table.ts";
import { action, finish, type MutationOptions, mutation, type Session } from "./session.ts";

/** `rule`. */
export function addRule(program: Command, io: Io): void {
  const rule = program.command("rule").description("what decides");
  rule
    .command("list")
    .description("all rules")
    .action(
      action(io, async ({ client, print }) => {
        print.list(ruleColumns, await client.rules(), (each) => `rule/${each.rule}`);
      }),
    );
  rule
    .command("show")
    .description("one rule file: whether it takes part, and why not")
    .argument("<file>")
    .action(action(io, show));
  const actions = [
    ["enable", "take a rule file back that is disabled or in quarantine, and decide what was kept"],
    ["disable", "take a rule file out of force"],
  ] as const;
  for (const [name, description] of actions) {
    const command = rule.command(name).description(description).argument("<file>");
    mutation(command).action(
      action(io, async (session, file: string, options: MutationOptions) => {
        const body = options.reason === undefined ? {} : { reason: options.reason };
        const waiting = { wait: options.wait, timeoutMs: session.timeoutMs };
        const asked = session.client.actOnRules(fileOf(file), name, body, waiting);
        finish(session, await asked, options);
      }),
    );
  }
}

async function show({ client, print }: Session, name: string): Promise<void> {
  const file = await client.ruleFile(fileOf(name));
  if (print.format !== "table" && print.format !== "wide") {
    print.one(file, `rule/${file.file}`);
    return;
  }
  print.text(`Rule file ${file.file} is ${file.state}.\n`);
  if (file.reason !== undefined) print.text(`  ${oneLine(file.reason)}\n`);
  print.text(`  rules: ${file.rules.join(", ")}\n`);
  if (file.events.length > 0) print.text(`  events: ${file.events.join(", ")}\n`);
  if (file.state === "quarantined")
    print.text(
      "Its events are kept. They are decided when it is corrected and applied, or by `halonctl rule enable`.\n",
    );
}

/** The rules of a file go together. */
function fileOf(text: string): string {
  const name = text.replace(/^rule\//, "");
  if (!name.includes("/")) return name;
  const [file = ""] = name.split("/");
  throw usage(`Expected the name of a rule file, got the rule ${name}. Its file is ${file}.`);
}
