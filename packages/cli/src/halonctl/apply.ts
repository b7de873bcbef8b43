import { resolve } from "node:path";
import type { Command } from "commander";
import { apply, compile } from "../cluster-file.ts";
import { once } from "../command-line.ts";
import { DifferencesFound } from "../failure.ts";
import type { Io } from "../io.ts";
import { planColumns } from "../output/columns.ts";
import { action, finish, type MutationOptions, mutation, type Session } from "./session.ts";

interface FileOptions {
  readonly file: string;
  readonly prune?: boolean;
}

/** `apply` and `plan`. */
export function addApply(program: Command, io: Io): void {
  const command = withFile(program.command("apply"))
    .description("compile a cluster file and make it what the cluster wants")
    .option("--dry-run", "show what would change and change nothing");
  mutation(command).action(
    action(
      io,
      async (session, options: FileOptions & MutationOptions & { readonly dryRun?: boolean }) => {
        const compiled = await read(session, options);
        if (options.dryRun === true) {
          await showPlan(session, compiled);
          return;
        }
        const { reason, wait } = options;
        const { timeoutMs } = session;
        const operation = await apply(session.client, compiled, { reason, wait, timeoutMs });
        finish(session, operation, options);
      },
    ),
  );
  withFile(program.command("plan"))
    .description("what apply would change; exit code 8 when anything would")
    .action(
      action(io, async (session, options: FileOptions) => {
        if ((await showPlan(session, await read(session, options))) > 0)
          throw new DifferencesFound();
      }),
    );
}

function withFile(command: Command): Command {
  return command
    .requiredOption("-f, --file <file>", "the cluster file, TypeScript or YAML", once)
    .option("--prune", "remove what the cluster file does not name");
}

async function read({ print }: Session, { file, prune }: FileOptions) {
  const compiled = await compile(resolve(file), { prune: prune === true });
  const { types, deployments, rules } = compiled.spec;
  print.say(
    `compiled ${file}: ${types.length} types, ${deployments.length} services, ${rules.length} rule files`,
  );
  return compiled;
}

async function showPlan(
  { client, print }: Session,
  compiled: Awaited<ReturnType<typeof read>>,
): Promise<number> {
  const plan = await client.plan(compiled.spec);
  if (plan.length === 0) print.say("nothing would change");
  if (plan.length > 0 || print.format === "json") {
    print.list(planColumns, plan, ({ what, name }) => `${what}/${name}`);
  }
  return plan.length;
}
