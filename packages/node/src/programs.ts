import { join } from "node:path";
import {
  type CommandAction,
  effectTextMax,
  HalonError,
  RunOutcome,
  toErrorData,
} from "@halon/protocol";
import { inheritedEnvironment } from "@halon/service/host";
import type { Logger } from "pino";
import { z } from "zod";
import { AttemptJournal } from "./attempt-journal.ts";
import { type AllowedPrograms, type Permission, permit } from "./core/allowed-programs.ts";
import { type ProcessEnd, type RunningProcess, runProcess } from "./run-process.ts";

/** Programs that run for rules at the same time. */
const runningMax = 16;
/** Between SIGTERM and SIGKILL. */
const graceMs = 2_000;
/**
 * As many as may be unanswered to one node: ends are told in order, so of one that is forgotten the end has arrived, and it
 * is not asked for again.
 */
const attemptsMax = 10_000;
/** Of the output, in the journal: what is told again after a crash. */
const keptCharsMax = 512;

export type RunAction = Extract<CommandAction, { type: "RunProgram" }>;

const RunEnd = z.object({
  outcome: RunOutcome,
  exit: z.number().optional(),
  output: z.string(),
  reason: z.string().optional(),
});
type RunEnd = z.infer<typeof RunEnd>;

export interface ProgramsOptions {
  readonly node: string;
  readonly dataDir: string;
  readonly allowed: AllowedPrograms;
  readonly log: Logger;
  emit(type: string, data: unknown): void;
}

/**
 * Runs programs of the node's allow-list for rules, each command once at most (rfc/0010).
 *
 * A command is on the disk before its program starts. One that an earlier process has begun is never begun again: its end is
 * told from the journal, as `unknown` when a crash came between.
 */
export class Programs {
  readonly #options: ProgramsOptions;
  readonly #journal: AttemptJournal<RunEnd>;
  /** By command; undefined while its start is written down. */
  readonly #running = new Map<string, RunningProcess | undefined>();
  #isClosed = false;

  constructor(options: ProgramsOptions) {
    this.#options = options;
    const path = join(options.dataDir, "runs.jsonl");
    this.#journal = new AttemptJournal({ path, end: RunEnd, attemptsMax });
  }

  /** Begins it; ProgramEnded answers the command. Errors: HAL_FORBIDDEN, HAL_TOO_MANY. */
  perform(action: RunAction, command: string): void {
    if (this.#running.has(command)) return;
    const known = this.#journal.find(command);
    if (known?.state === "ended") {
      this.#tell(command, known.end);
      return;
    }
    if (known !== undefined) {
      const reason = "halond ended while it ran; whether it did its work is unknown";
      this.#tell(command, { outcome: "unknown", output: "", reason });
      return;
    }
    const permission = permit(this.#options.allowed, action);
    if (permission.type === "refuse") throw new HalonError("HAL_FORBIDDEN", permission.reason);
    if (this.#running.size >= runningMax)
      throw new HalonError("HAL_TOO_MANY", `${runningMax} programs run already on this node`);
    this.#running.set(command, undefined);
    void this.#run(action, permission, command);
  }

  /** Ends what runs; how that ended is unknown to the next process. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const process of this.#running.values()) process?.kill();
    await this.#journal.close();
  }

  async #run(
    { name }: RunAction,
    { file, args, env, timeoutMs }: Extract<Permission, { type: "run" }>,
    command: string,
  ): Promise<void> {
    const { node, log, emit } = this.#options;
    try {
      await this.#journal.begin(command);
    } catch (error) {
      this.#running.delete(command);
      const { code, message } = toErrorData(error);
      const reason = `the program was not begun, because that cannot be written down: ${message}`;
      emit("CommandRefused", { node, command, code, reason });
      return;
    }
    if (this.#isClosed) return;
    log.info({ program: name, command }, "runs a program for a rule");
    const running = runProcess({
      ...{ file, args, timeoutMs, graceMs },
      env: { ...inheritedEnvironment(), ...env },
      outputCharsMax: effectTextMax,
    });
    this.#running.set(command, running);
    const end = endOf(await running.end, timeoutMs);
    // The process is stopping: nobody knows what the end of the program was worth.
    if (this.#isClosed) return;
    const { outcome, exit, reason } = end;
    await this.#journal
      .end(command, { ...end, output: end.output.slice(-keptCharsMax) })
      .catch((error: unknown) =>
        log.error({ command, reason: toErrorData(error).message }, "a run's end was not written"),
      );
    this.#running.delete(command);
    log.info({ program: name, command, outcome, exit, reason }, "a program has ended");
    this.#tell(command, end);
  }

  #tell(command: string, end: RunEnd): void {
    this.#options.emit("ProgramEnded", { node: this.#options.node, command, ...end });
  }
}

function endOf(end: ProcessEnd, timeoutMs: number): RunEnd {
  if (end.type === "notStarted") return { outcome: "failed", output: "", reason: end.reason };
  const { code, signal, isLate, output } = end;
  const exit = code === null ? {} : { exit: code };
  if (isLate) {
    const reason = `it did not end within ${timeoutMs} ms and was ended`;
    return { outcome: "timedOut", ...exit, output, reason };
  }
  if (code === 0) return { outcome: "done", exit: 0, output };
  const reason = code === null ? `it was ended by ${signal}` : `exit code ${code}`;
  return { outcome: "failed", ...exit, output, reason };
}
