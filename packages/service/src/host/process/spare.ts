import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../limits.ts";

/** A program to be run; `output` is the file that takes what it writes. */
export interface Launch {
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly output: string;
}

const shell = "/bin/sh";
/** What a pipe surely takes at once. */
const scriptBytesMax = 32_768;
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Variables that a shell keeps for itself. */
const shellVariables =
  /^(?:PWD|OLDPWD|SHLVL|_|IFS|PPID|UID|EUID|ENV|CDPATH|LINENO|OPT.*|BASH.*|PS[0-4]|RANDOM|SECONDS)$/;

/** One for the whole process: children belong to it, not to a runtime. */
let spare: ChildProcess | undefined;
let timer: NodeJS.Timeout | undefined;

/**
 * Runs the program in a child that was made before: a shell that waits, and becomes the program by `exec`.
 *
 * To fork copies the page tables of the whole `halond`, several milliseconds of a recovery. Undefined when there is
 * no spare, or a shell could not start this program just as `spawn` does; the caller then spawns it.
 */
export function launchSpare(launch: Launch): ChildProcess | undefined {
  clearTimeout(timer);
  // Not at once: the program that starts now needs the processor more.
  timer = setTimeout(prepareSpare, limits.spareAfterMs);
  timer.unref();
  const child = spare;
  if (child?.stdin === null || child === undefined || !canBeRun(launch)) return undefined;
  const script = scriptOf(launch);
  // A shell would drop the NUL and run something else; `spawn` refuses it by name.
  if (script.includes("\0") || Buffer.byteLength(script) > scriptBytesMax) return undefined;
  spare = undefined;
  child.removeAllListeners("exit");
  child.ref();
  child.stdin.end(script);
  return child;
}

/** Makes the spare. It ends with this process, as its input does. */
export function prepareSpare(): void {
  if (spare !== undefined) return;
  const child = spawn(shell, ["-s"], {
    cwd: "/",
    env: {},
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const drop = (): void => {
    if (spare === child) spare = undefined;
  };
  child.once("exit", drop);
  child.on("error", drop);
  // One that has just ended takes no input; its exit tells.
  child.stdin.on("error", drop);
  child.unref();
  // A pipe to a child is a socket, which can be let go of too.
  (child.stdin as typeof child.stdin & { unref?(): void }).unref?.();
  if (child.pid !== undefined) spare = child;
}

/** A shell says less than `spawn` of what stands in the way, and knows fewer names of variables. */
function canBeRun(launch: Launch): boolean {
  const names = Object.keys(launch.env);
  if (!names.every((name) => variableName.test(name) && !shellVariables.test(name))) return false;
  return isThere(launch);
}

/** Whether the program is found, and may be run, by who starts it with this environment. */
export function isThere({
  command: [program],
  env,
  cwd,
}: Pick<Launch, "command" | "env" | "cwd">): boolean {
  const places = program.includes("/") ? [cwd] : (env["PATH"] ?? "").split(":");
  return places.some((place) =>
    isExecutable(program.startsWith("/") ? program : join(place, program)),
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function scriptOf({ command, env, cwd, output }: Launch): string {
  const variables = Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}\n`);
  const words = command.map(quoted).join(" ");
  const redirections = `</dev/null >>${quoted(output)} 2>&1`;
  return `cd ${quoted(cwd)} || exit 126\n${variables.join("")}unset PWD OLDPWD SHLVL\nexec ${words} ${redirections}\n`;
}

/** Any text without NUL as one word. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
