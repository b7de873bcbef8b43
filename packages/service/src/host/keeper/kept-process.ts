import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Exit, HalonError } from "@halon/protocol";
import { homeOf } from "../process/environment.ts";
import { endEscaped } from "../process/escaped.ts";
import { describeFailure } from "../process/failed-start.ts";
import { signalGroup } from "../process/group.ts";
import { isRunning, type ProcessId } from "../process/proc.ts";
import { type ProcessRunner, startProblem } from "../process/process-runner.ts";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";
import type { Keeper, KeeperEvent } from "./link.ts";
import { keeperSocket } from "./wire.ts";

const lookMs = 5;
/** A keeper that says nothing for so long after a kill does not run itself. */
const silentKeeperMs = 1_000;

type Listener = (event: RunnerEvent) => void;

/** A program under a keeper, started by this `halond` or by an earlier one. */
export interface Kept {
  readonly spec: RunnerSpec;
  readonly listener: Listener;
  /** Its name, for who reads why it could not be started. */
  readonly program: string | undefined;
  /** Whether the next `halond` can go on with it. */
  readonly outlives: boolean;
  /** Takes the program over once its number is known. */
  run(program: ProcessId, keeper: ProcessId, listener: Listener): ProcessRunner;
  /** Starts the keeper, or comes back to it. Throws HAL_PLATFORM. */
  reach(listener: (event: KeeperEvent) => void): Keeper;
}

/** The life of a program under a keeper, from the start of the keeper to the end of both. */
export class KeptProcess {
  readonly #kept: Kept;
  readonly #keeper: Keeper;
  #program: { readonly id: ProcessId; readonly running: ProcessRunner } | undefined;
  #isKeeperGone = false;
  #wasEnded = false;
  /** What stays to be reported when the keeper is gone too. */
  #end: RunnerEvent | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly runner: Runner;

  constructor(kept: Kept) {
    this.#kept = kept;
    this.#keeper = kept.reach((event) => this.#hear(event));
    this.runner = this.#createRunner();
  }

  /** The program runs, says its keeper, or the record of an earlier `halond`. */
  begin(id: ProcessId): void {
    if (this.#program !== undefined) return;
    const running = this.#kept.run(id, this.#keeper.id, (event) => this.#hearProgram(event));
    this.#program = { id, running };
    if (this.#wasEnded) running.runner.kill();
    else running.begin();
  }

  #hear(event: KeeperEvent): void {
    switch (event.type) {
      case "running":
        this.begin({ pid: event.pid, startTime: event.startTime });
        return;
      case "failed": {
        const { spec, program } = this.#kept;
        const failure = Object.assign(new Error(event.reason), { code: event.code });
        this.#tell(startProblem(describeFailure(failure, program, spec)));
        return;
      }
      case "exited": {
        const exit: Exit = { code: event.code, signal: event.signal };
        this.#program?.running.leaderExited(exit);
        return;
      }
      case "expired":
        this.#fail("its lease has ended: nobody renewed it in time", "lease");
        return;
      case "gone":
        this.#keeperGone();
        return;
    }
  }

  #hearProgram(event: RunnerEvent): void {
    if (event.type !== "exited") {
      this.#tell(event);
      return;
    }
    clearInterval(this.#timer);
    this.#end = event;
    if (this.#isKeeperGone) this.#tell(event);
    else this.#keeper.dismiss();
  }

  #keeperGone(): void {
    this.#isKeeperGone = true;
    clearInterval(this.#timer);
    if (this.#end !== undefined) {
      this.#tell(this.#end);
      return;
    }
    const reason = "its keeper has ended, and the instance with it";
    this.#fail(reason, "exit");
    const { spec } = this.#kept;
    if (this.#program === undefined) {
      const exit: Exit = { code: null, signal: null };
      endEscaped({ home: homeOf(spec), instance: spec.instance }, () =>
        this.#tell({ type: "exited", exit, reason }),
      );
      return;
    }
    const { id, running } = this.#program;
    const look = () => {
      signalGroup(id, "SIGKILL");
      if (isRunning(id)) return;
      clearInterval(this.#timer);
      running.leaderExited({ code: null, signal: "SIGKILL" });
    };
    this.#timer = setInterval(look, lookMs);
  }

  #fail(reason: string, cause: "lease" | "exit"): void {
    this.#tell({ type: "problem", code: "HAL_FAILED", reason, cause });
  }

  #tell(event: RunnerEvent): void {
    // Before the report: the next start for this service may come from within it, with a keeper of its own.
    if (event.type === "exited") {
      rmSync(join(this.#kept.spec.directory, keeperSocket), { force: true });
    }
    this.#kept.listener(event);
  }

  #kill(): void {
    this.#wasEnded = true;
    if (this.#program === undefined) this.#keeper.end();
    else this.#program.running.runner.kill();
    if (this.#timer !== undefined || this.#isKeeperGone) return;
    this.#timer = setTimeout(() => this.#keeper.dismiss(), silentKeeperMs);
  }

  #createRunner(): Runner {
    const inner = (): Runner => {
      if (this.#program !== undefined) return this.#program.running.runner;
      const message = `${this.#kept.spec.instance} is being started`;
      throw new HalonError("HAL_SERVICE_NOT_RUNNING", message);
    };
    const osPid = () => this.#program?.id.pid;
    return {
      get osPid() {
        return osPid();
      },
      requestStop: () => {
        if (this.#program === undefined) this.#kill();
        else this.#program.running.runner.requestStop();
      },
      kill: () => this.#kill(),
      check: async (timeoutMs) => inner().check(timeoutMs),
      alive: async (timeoutMs) => this.#program?.running.runner.alive?.(timeoutMs) ?? { ok: true },
      status: async (timeoutMs) => inner().status(timeoutMs),
      reconfigure: async (config, timeoutMs) => inner().reconfigure(config, timeoutMs),
      call: async (message, args, timeoutMs) => inner().call(message, args, timeoutMs),
      answerTrouble: (ref, answer) => this.#program?.running.runner.answerTrouble?.(ref, answer),
      silentMs: () => this.#program?.running.runner.silentMs(),
      memoryMb: () => this.#program?.running.runner.memoryMb(),
      renew: (untilMs) => this.#keeper.renew(untilMs),
      release: () => {
        if (!this.#kept.outlives) return false;
        clearTimeout(this.#timer);
        this.#program?.running.runner.release();
        this.#keeper.release();
        return true;
      },
    };
  }
}
