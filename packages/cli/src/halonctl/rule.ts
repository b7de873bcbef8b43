import { type JsonObject, optionTexts } from "@halon/protocol";
import type { Command } from "commander";
import { usage } from "../failure.ts";
import type { Io } from "../io.ts";
import { nodeRuleColumns, ruleColumns } from "../output/columns.ts";
import { oneLine } from "../output/table.ts";
import { optionsOf } from "./rule-arguments.ts";
import { addRuleCheck } from "./rule-check.ts";
import { action, finish, type MutationOptions, mutation, type Session } from "./session.ts";

/** `rule`. */
export function addRule(program: Command, io: Io): void {
  const rule = program.command("rule").description("what decides");
  rule
    .command("list")
    .description("all rules")
    .action(
      action(io, async ({ client, print }) => {
        const rules = await client.rules();
        const hasNodeRules = rules.some(({ runs }) => runs !== undefined);
        const columns = hasNodeRules ? nodeRuleColumns : ruleColumns;
        print.list(columns, rules, (each) => `rule/${each.rule}`);
      }),
    );
  rule
    .command("show")
    .description("one rule file: whether it takes part, and why not")
    .argument("<file>")
    .action(action(io, show));
  addRuleCheck(rule, io);
  mutation(
    rule
      .command("options")
      .description("change options of a rule file; what is not named stays, null takes the default")
      .argument("<file>")
      .argument("<options...>", "name=value; the value is JSON, or text"),
  ).action(
    action(
      io,
      async (session, file: string, given: readonly string[], options: MutationOptions) => {
        const { reason, wait } = options;
        const body = { options: optionsOf(given), ...(reason === undefined ? {} : { reason }) };
        const waiting = { wait, timeoutMs: session.timeoutMs };
        finish(session, await session.client.setRuleOptions(fileOf(file), body, waiting), options);
      },
    ),
  );
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
  if (file.options !== undefined) showOptions(print, file.options, file.optionsSchema ?? {});
  for (const { invariant, state, reason } of file.invariants) {
    const why = reason === undefined ? "" : `: ${oneLine(reason)}`;
    print.text(`  invariant ${invariant}: ${state}${why}\n`);
  }
  if (file.runs !== undefined) print.text("  runs: node\n");
  for (const { node, state, reason } of file.onNodes ?? []) {
    const why = reason === undefined ? "" : `: ${oneLine(reason)}`;
    print.text(`  on ${node}: ${state}${why}\n`);
  }
  if (file.state === "quarantined")
    print.text(
      "Its events are kept. They are decided when it is corrected and applied, or by `halonctl rule enable`.\n",
    );
}

function showOptions(
  print: Session["print"],
  options: Readonly<Record<string, unknown>>,
  schema: JsonObject,
): void {
  for (const { name, type, default: standard } of optionTexts(schema)) {
    const about = standard === undefined ? type : `${type}, default ${JSON.stringify(standard)}`;
    const value = options[name] === undefined ? "not given" : JSON.stringify(options[name]);
    print.text(`  option ${name}: ${oneLine(value)} (${oneLine(about)})\n`);
  }
}

/** The rules of a file go together. */
function fileOf(text: string): string {
  const name = text.replace(/^rule\//, "");
  if (!name.includes("/")) return name;
  const [file = ""] = name.split("/");
  throw usage(`Expected the name of a rule file, got the rule ${name}. Its file is ${file}.`);
}
