import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, extname, join, relative, resolve } from "node:path";
import { HalonError, type JsonObject, type RuleFileManifest } from "@halon/protocol";
import { limits } from "../limits.ts";
import { compileRuleFile } from "./compile-rules.ts";

/** A place where a rule file does not fit its types. */
export interface TypeProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** What the check of a rule file has come to. */
export interface RuleFileCheck {
  readonly manifest: RuleFileManifest;
  readonly problems: readonly TypeProblem[];
  /** Why types were not checked. */
  readonly notice?: string;
}

/**
 * Compiles a rule file, loads it, checks its charts and patterns, and runs a TypeScript compiler on it.
 *
 * The compiler is the `typescript` that is found from the file's directory, else the one that is installed with Halon. Throws what
 * `compileRuleFile` throws, HAL_NOT_FOUND when there is no such file, HAL_TIMEOUT when the compiler does not end.
 */
export async function checkRuleFile(path: string, options?: JsonObject): Promise<RuleFileCheck> {
  const file = resolve(path);
  const found = await stat(file).catch(() => null);
  if (found === null) throw new HalonError("HAL_NOT_FOUND", `There is no file ${file}.`);
  if (!found.isFile()) throw new HalonError("HAL_USAGE", `Expected a rule file, ${file} is none.`);
  const { manifest } = await compileRuleFile(file, options);
  if (!/^\.[mc]?ts$/.test(extname(file)))
    return { manifest, problems: [], notice: "types were not checked: it is no TypeScript" };
  const compiler = await compilerFor(file);
  if (compiler === null) {
    const notice =
      "types were not checked: there is no TypeScript compiler here; install the package typescript beside the rule file";
    return { manifest, problems: [], notice };
  }
  return { manifest, problems: await typeProblems(compiler, file) };
}

/** The program `tsc`; null when none is installed. */
async function compilerFor(file: string): Promise<string | null> {
  for (const from of [file, import.meta.url]) {
    try {
      const about = createRequire(from).resolve("typescript/package.json");
      const { bin } = JSON.parse(await readFile(about, "utf8")) as { bin?: { tsc?: string } };
      if (bin?.tsc !== undefined) return join(dirname(about), bin.tsc);
    } catch {
      // Not from there; the next place may have one.
    }
  }
  return null;
}

async function typeProblems(compiler: string, file: string): Promise<readonly TypeProblem[]> {
  const directory = await mkdtemp(join(tmpdir(), "halon-check-"));
  try {
    const project = join(directory, "tsconfig.json");
    await writeFile(project, JSON.stringify({ compilerOptions: compilerOptions(), files: [file] }));
    const output = await run(compiler, ["-p", project, "--pretty", "false"], dirname(file));
    return problemsIn(output, dirname(file));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The language as the realm has it: no library but that of the language itself, and the packages that run here. */
function compilerOptions(): object {
  const { resolve: find } = createRequire(import.meta.url);
  const types = (name: string): string[] => [
    join(dirname(find(`${name}/package.json`)), "dist", "index.d.ts"),
  ];
  return {
    ...{ target: "ES2023", lib: ["ES2023"], types: [], module: "ESNext" },
    ...{ moduleResolution: "Bundler", allowImportingTsExtensions: true, allowJs: true },
    ...{ strict: true, noEmit: true, skipLibCheck: true },
    paths: { "@halon/rules": types("@halon/rules"), "@halon/protocol": types("@halon/protocol") },
  };
}

/** What the compiler says; it fails with an exit code when it has found something. */
function run(compiler: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((settle, reject) => {
    const options = { cwd, timeout: limits.typeCheckMs, maxBuffer: 4 * 1_048_576 };
    execFile(process.execPath, [compiler, ...args], options, (error, stdout, stderr) => {
      if (error === null) return settle("");
      if (error.killed === true) {
        const message = `${compiler} did not end within ${limits.typeCheckMs} ms. Check the file by itself.`;
        return reject(new HalonError("HAL_TIMEOUT", message));
      }
      if (stdout.includes("error TS")) return settle(stdout);
      const said = (stdout + stderr).trim().slice(0, 1_000);
      reject(
        new HalonError("HAL_FAILED", `${compiler} failed: ${said === "" ? error.message : said}`),
      );
    });
  });
}

/** Lines such as `mine.rules.ts(7,12): error TS2339: …`; those that go on are indented. */
function problemsIn(output: string, directory: string): readonly TypeProblem[] {
  const problems: TypeProblem[] = [];
  for (const line of output.split("\n")) {
    const place = /^(.+)\((\d+),(\d+)\): error TS\d+: (.*)$/.exec(line);
    const last = problems.at(-1);
    if (place !== null) {
      const [, file = "", row, column, message = ""] = place;
      problems.push({
        file: relative(directory, resolve(directory, file)),
        line: Number(row),
        column: Number(column),
        message,
      });
    } else if (/^\s+\S/.test(line) && last !== undefined)
      problems[problems.length - 1] = { ...last, message: `${last.message} ${line.trim()}` };
    else if (line.startsWith("error TS")) throw new HalonError("HAL_FAILED", line.trim());
  }
  return problems;
}
