import { readFileSync } from "node:fs";
import type { StartContext } from "@halon/node";
import { Duration, ProgramName } from "@halon/protocol";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { usage } from "../failure.ts";

type AllowedPrograms = NonNullable<StartContext["allowed"]>;

/** Programs in one file. */
const programsMax = 1_000;

const Pattern = z
  .string()
  .max(1_000)
  .transform((text, { addIssue }) => {
    try {
      return new RegExp(`^(?:${text})$`, "u");
    } catch (error) {
      addIssue({ code: "custom", message: `${(error as Error).message}; correct the pattern` });
      return z.NEVER;
    }
  });

const Program = z.strictObject({
  command: z
    .tuple(
      [
        z
          .string()
          .min(1)
          .refine(
            (file) => file.startsWith("/") || !file.includes("/"),
            "expected an absolute path, or a name that is looked up in PATH",
          ),
      ],
      z.string().max(8_192),
    )
    .refine((words) => words.length <= 1_024, "expected at most 1024 words"),
  timeout: Duration.refine((ms) => ms >= 1 && ms <= 86_400_000, "expected 1ms to 24h").default(
    600_000,
  ),
  args: z
    .strictObject({ max: z.number().int().min(0).max(64), pattern: Pattern.optional() })
    .default({ max: 0 }),
  env: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "expected a name of a-z, 0-9 and _"),
      z.string(),
    )
    .default({}),
});

const File = z
  .record(ProgramName, Program)
  .refine(
    (programs) => Object.keys(programs).length <= programsMax,
    `expected at most ${programsMax} programs`,
  );

/**
 * Reads the file of `--allow-run`: by name, the programs that rules may have this node run.
 *
 * An unknown field is an error. Errors are `HAL_USAGE` and name the file and the field.
 */
export function readAllowedPrograms(path: string): AllowedPrograms {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(path, "utf8"));
  } catch (error) {
    const what = (error as Error).message.split("\n")[0];
    throw usage(`The file ${path} of --allow-run cannot be read: ${what}`);
  }
  const parsed = File.safeParse(content ?? {});
  if (!parsed.success) throw flawOf(path, parsed.error);
  return new Map(
    Object.entries(parsed.data).map(([name, { timeout: timeoutMs, command, args, env }]) => {
      const { max, pattern } = args;
      const allowed = pattern === undefined ? { max } : { max, pattern };
      return [name, { command, timeoutMs, args: allowed, env }];
    }),
  );
}

function flawOf(path: string, { issues: [issue] }: z.ZodError) {
  const where = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  const form = "Expected NAME: { command: [PROGRAM, …], timeout, args: { max, pattern }, env }";
  return usage(`The file ${path} of --allow-run is not valid: ${where}${issue?.message}. ${form}.`);
}
