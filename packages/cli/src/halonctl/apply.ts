import { resolve } from "node:path";
import type { ClusterPlan } from "@halon/api";
import type { Command } from "commander";
import { apply, compile } from "../cluster-file.ts";
import { once } from "../command-line.ts";
import { DifferencesFound } from "../failure.ts";
import type { Io } from "../io.ts";
import { isDifferent, showDiff, showPlan } from "../output/plan.ts";
import { action, finish, type MutationOptions, mutation, type Session } from "./session.ts";

interface FileOptions {
  readonly file: string;
  readonly prune?: boolean;
}

/** `apply`, `plan` and `diff`. */
export function addApply(program: Command, io: Io): void {
  const command = withFile(program.command("apply"))
    .description("compile a cluster file and make it what the cluster wants")
    .option("--dry-run", "show what would change and which rules would act, and change nothing");
  mutation(command).action(
    action(
      io,
      async (session, options: FileOptions & MutationOptions & { readonly dryRun?: boolean }) => {
        const compiled = await read(session, options);
        if (options.dryRun === true) {
          const plan = await planOf(session, compiled);
          showPlan({ print: session.print, columns: io.columns }, plan);
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
    .description(
      "what apply would change, and which rules would act; exit code 8 when anything would",
    )
    .action(
      action(io, async (session, options: FileOptions) => {
        const plan = await planOf(session, await read(session, options));
        showPlan({ print: session.print, columns: io.columns }, plan);
        if (isDifferent(plan)) throw new DifferencesFound();
      }),
    );
  withFile(program.command("diff"))
    .description("where a cluster file differs from the cluster; exit code 8 where it does")
    .action(
      action(io, async (session, options: FileOptions) => {
        const { spec } = await read(session, options);
        const plan = await session.client.diff(spec);
        showDiff({ print: session.print, columns: io.columns }, plan);
        if (isDifferent(plan)) throw new DifferencesFound();
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

/** Sends the code of rule files along: what is planned is not kept. */
function planOf(
  { client, timeoutMs }: Session,
  { spec, blobs }: Awaited<ReturnType<typeof read>>,
): Promise<ClusterPlan> {
  const named = new Set(spec.rules.map(({ blob }) => blob));
  const code = blobs
    .filter(({ hash }) => named.has(hash))
    .map(({ hash, bytes }) => [hash, new TextDecoder().decode(bytes)] as const);
  return client.plan(spec, new Map(code), timeoutMs);
}
