import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { type CommandAction, HalonError, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import { type HookEnd, HookJournal } from "./hook-journal.ts";

/** Of what a hook writes, the end is kept for people. */
const outputCharsMax = 2_000;
/** Hooks that run at the same time. */
const runningMax = 16;
/** What still holds a hook's output open after its end is not waited for. */
const closeMs = 200;

export type HookAction = Extract<CommandAction, { type: "RunHook" }>;

export interface HooksOptions {
  readonly node: string;
  readonly dataDir: string;
  readonly log: Logger;
  emit(type: string, data: unknown): void;
}

/** A hook that runs, and the commands that wait for its end. */
interface Attempt {
  readonly commands: string[];
  child: ChildProcess | undefined;
}

/**
 * Runs the programs that a cluster file names for fencing and recovery, each attempt once at most (rfc/0008).
 *
 * An attempt is on the disk before its program starts. One that this process, or one before it, has begun already is
 * never begun again: its end is told from the journal, as `unknown` when a crash came between.
 */
export class Hooks {
  readonly #options: HooksOptions;
  readonly #journal: HookJournal;
  readonly #running = new Map<string, Attempt>();

  constructor(options: HooksOptions) {
    this.#options = options;
    this.#journal = new HookJournal(join(options.dataDir, "hooks.jsonl"));
  }

  /** Begins the attempt; `HookEnded` answers the command. Errors: HAL_TOO_MANY. */
  perform(action: HookAction, command: string): void {
    const { instance } = action;
    const running = this.#running.get(instance);
    const end = this.#journal.endOf(instance);
    if (running !== undefined) running.commands.push(command);
    else if (end !== undefined) this.#tell(action, [command], end);
    else if (this.#running.size >= runningMax)
      throw new HalonError("HAL_TOO_MANY", `${runningMax} hooks run already on this node`);
    else void this.#run(action, command);
  }

  /** Ends what runs; how that ended is unknown to the next process. */
  async close(): Promise<void> {
    for (const { child } of this.#running.values()) if (child !== undefined) killGroup(child);
    this.#running.clear();
    await this.#journal.close();
  }

  async #run(action: HookAction, command: string): Promise<void> {
    const { instance } = action;
    const { node, log, emit } = this.#options;
    const attempt: Attempt = { commands: [command], child: undefined };
    this.#running.set(instance, attempt);
    try {
      await this.#journal.begin(instance);
    } catch (error) {
      this.#running.delete(instance);
      const { code, message } = toErrorData(error);
      const reason = `the hook was not begun, because that cannot be written down: ${message}`;
      for (const each of attempt.commands)
        emit("CommandRefused", { node, command: each, code, reason });
      return;
    }
    if (this.#running.get(instance) !== attempt) return;
    log.info({ hook: action.hook, target: action.target, instance }, "runs a hook");
    const end = await this.#program(action, attempt).catch(
      (error: unknown): HookEnd => ({
        outcome: "failed",
        detail: `it cannot be run: ${toErrorData(error).message}`.slice(0, outputCharsMax),
      }),
    );
    // The process is stopping: nobody knows what the end of the program was worth.
    if (this.#running.get(instance) !== attempt) return;
    await this.#journal
      .end(instance, end)
      .catch((error: unknown) =>
        log.error({ instance, reason: toErrorData(error).message }, "a hook's end was not written"),
      );
    this.#running.delete(instance);
    log.info({ hook: action.hook, target: action.target, instance, ...end }, "a hook has ended");
    this.#tell(action, attempt.commands, end);
  }

  /** Runs the program, in a process group of its own, and ends that group at the deadline. */
  #program({ command, target, timeoutMs }: HookAction, attempt: Attempt): Promise<HookEnd> {
    const [file = "", ...args] = command.map((text) => text.replaceAll("{target}", target));
    return new Promise((resolve) => {
      let output = "";
      let isLate = false;
      const child = spawn(file, args, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
      attempt.child = child;
      const late = setTimeout(() => {
        isLate = true;
        killGroup(child);
      }, timeoutMs);
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          output = (output + text).slice(-outputCharsMax);
        });
      }
      const finish = (end: HookEnd): void => {
        clearTimeout(late);
        child.stdout.destroy();
        child.stderr.destroy();
        resolve(end);
      };
      child.once("error", (error) =>
        finish({ outcome: "failed", detail: `${file} cannot be run: ${error.message}` }),
      );
      child.once("exit", (code, signal) => {
        attempt.child = undefined;
        const how = isLate
          ? `it did not end within ${timeoutMs} ms and was killed`
          : code === null
            ? `it was ended by ${signal}`
            : `exit code ${code}`;
        const outcome = code === 0 && !isLate ? "done" : "failed";
        const end = () => {
          clearTimeout(open);
          const said = output.trim();
          finish({ outcome, detail: said === "" ? how : `${how}: ${said}` });
        };
        const open = setTimeout(end, closeMs);
        child.once("close", end);
      });
    });
  }

  #tell(action: HookAction, commands: readonly string[], { outcome, detail }: HookEnd): void {
    const { service, instance, hook, target } = action;
    for (const command of commands) {
      this.#options.emit("HookEnded", {
        node: this.#options.node,
        service,
        instance,
        command,
        hook,
        target,
        outcome,
        ...(detail === undefined ? {} : { detail }),
      });
    }
  }
}

/** A leader that has not been waited for keeps its number, so the group is the one that was founded. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
