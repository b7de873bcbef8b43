import { join } from "node:path";
import { type CommandAction, HalonError, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import { z } from "zod";
import { AttemptJournal } from "./attempt-journal.ts";
import { type ProcessEnd, type RunningProcess, runProcess } from "./run-process.ts";

/** Of what a hook writes, the end is kept for people. */
const outputCharsMax = 2_000;
/** Hooks that run at the same time. */
const runningMax = 16;
/** Attempts that are remembered. */
const attemptsMax = 1_000;

/** How an attempt ended. `unknown`: the process that ran it ended before it. */
const HookEnd = z.object({
  outcome: z.enum(["done", "failed", "unknown"]),
  detail: z.string().optional(),
});
type HookEnd = z.infer<typeof HookEnd>;

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
  process: RunningProcess | undefined;
}

/**
 * Runs the programs that a cluster file names for fencing and recovery, each attempt once at most (rfc/0008).
 *
 * An attempt is on the disk before its program starts. One that this process, or one before it, has begun already is
 * never begun again: its end is told from the journal, as `unknown` when a crash came between.
 */
export class Hooks {
  readonly #options: HooksOptions;
  readonly #journal: AttemptJournal<HookEnd>;
  readonly #running = new Map<string, Attempt>();

  constructor(options: HooksOptions) {
    this.#options = options;
    const path = join(options.dataDir, "hooks.jsonl");
    this.#journal = new AttemptJournal({ path, end: HookEnd, attemptsMax });
  }

  /** Begins the attempt; `HookEnded` answers the command. Errors: HAL_TOO_MANY. */
  perform(action: HookAction, command: string): void {
    const { instance } = action;
    const running = this.#running.get(instance);
    const known = this.#journal.find(instance);
    if (running !== undefined) running.commands.push(command);
    else if (known?.state === "ended") this.#tell(action, [command], known.end);
    else if (known !== undefined) this.#tell(action, [command], { outcome: "unknown" });
    else if (this.#running.size >= runningMax)
      throw new HalonError("HAL_TOO_MANY", `${runningMax} hooks run already on this node`);
    else void this.#run(action, command);
  }

  /** Ends what runs; how that ended is unknown to the next process. */
  async close(): Promise<void> {
    for (const { process } of this.#running.values()) process?.kill();
    this.#running.clear();
    await this.#journal.close();
  }

  async #run(action: HookAction, command: string): Promise<void> {
    const { instance } = action;
    const { node, log, emit } = this.#options;
    const attempt: Attempt = { commands: [command], process: undefined };
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
    attempt.process = begin(action);
    const end = endOf(action, await attempt.process.end);
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

function begin({ command, target, timeoutMs }: HookAction): RunningProcess {
  const [file = "", ...args] = command.map((text) => text.replaceAll("{target}", target));
  return runProcess({ file, args, timeoutMs, graceMs: 0, outputCharsMax });
}

function endOf({ timeoutMs }: HookAction, end: ProcessEnd): HookEnd {
  if (end.type === "notStarted")
    return { outcome: "failed", detail: end.reason.slice(0, outputCharsMax) };
  const { code, signal, isLate, output } = end;
  const how = isLate
    ? `it did not end within ${timeoutMs} ms and was killed`
    : code === null
      ? `it was ended by ${signal}`
      : `exit code ${code}`;
  const outcome = code === 0 && !isLate ? "done" : "failed";
  return { outcome, detail: output === "" ? how : `${how}: ${output}` };
}
