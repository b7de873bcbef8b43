import { existsSync } from "node:fs";
import { HalonError, type Health, type Json } from "@halon/protocol";
import { isRunning, type ProcessId, readStat } from "../process/proc.ts";
import { fill } from "../process/template.ts";
import type { Runner, RunnerEvent, RunnerSpec, StartRunner } from "../runner.ts";
import { run } from "./run.ts";

const watchEveryMs = 100;
/** A question to systemd, which answers at once unless the machine is in trouble. */
const askTimeoutMs = 5_000;

/** How a machine's systemd is reached; tests have another. */
export interface SystemdOptions {
  readonly systemctl: string;
  /** There while systemd is the init of the machine (sd_booted(3)). */
  readonly bootedPath: string;
}

/**
 * Starts a systemd unit of the node; the unit outlives `halond`, and a start of one that runs changes nothing.
 *
 * Nothing is reported from within the call. Where systemd does not run, the start fails and says so.
 */
export const startSystemd: StartRunner = systemdRunner({
  systemctl: "systemctl",
  bootedPath: "/run/systemd/system",
});

/** The runner of a machine's systemd. */
export function systemdRunner(options: SystemdOptions): StartRunner {
  return (spec, listener) => {
    const unit = unitOf(spec);
    const live = new LiveUnit(spec, unit, options, listener);
    setImmediate(() => void live.start());
    return live;
  };
}

function unitOf(spec: RunnerSpec): string {
  const template = spec.manifest.systemd?.unit;
  if (template === undefined) {
    const message = `the service type ${spec.manifest.name} names no systemd unit; apply it again`;
    throw new HalonError("HAL_SERVICE_LOAD", message);
  }
  const unit = fill(template, spec);
  // A leading dash would be an option of systemctl.
  if (/^[A-Za-z0-9_@:.\\][A-Za-z0-9_@:.\\-]{0,255}$/.test(unit)) return unit;
  throw new HalonError("HAL_SCHEMA_VIOLATION", `${JSON.stringify(unit)} is no name of a unit`);
}

/** What systemd says of a unit. */
interface UnitState {
  readonly active: string;
  readonly sub: string;
  readonly result: string;
  readonly mainPid: number;
}

type Phase = "starting" | "running" | "ending" | "ended" | "released";

/** A unit that this `halond` has started. */
class LiveUnit implements Runner {
  readonly #spec: RunnerSpec;
  readonly #unit: string;
  readonly #options: SystemdOptions;
  readonly #listener: (event: RunnerEvent) => void;
  #phase: Phase = "starting";
  #main: ProcessId | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(
    spec: RunnerSpec,
    unit: string,
    options: SystemdOptions,
    listener: (event: RunnerEvent) => void,
  ) {
    this.#spec = spec;
    this.#unit = unit;
    this.#options = options;
    this.#listener = listener;
  }

  get osPid(): number | undefined {
    return this.#main?.pid;
  }

  async start(): Promise<void> {
    if (this.#phase !== "starting") return;
    if (!existsSync(this.#options.bootedPath)) {
      this.#fail("HAL_SERVICE_START", "systemd does not run on this node");
      this.#end("it was not started");
      return;
    }
    this.#listener({ type: "loaded" });
    const started = await this.#ctl(["start", this.#unit], this.#spec.manifest.startTimeoutMs);
    if (this.#phase !== "starting") return;
    const state = started === undefined ? await this.#show() : undefined;
    if (this.#phase !== "starting") return;
    if (started !== undefined || state === undefined || !isActive(state)) {
      this.#fail("HAL_SERVICE_START", `${this.#unit}: ${started ?? describe(state)}`);
      await this.#stop();
      return;
    }
    this.#phase = "running";
    this.#follow(state);
    this.#listener({ type: "ready" });
  }

  requestStop(): void {
    if (this.#phase === "ended" || this.#phase === "ending") return;
    void this.#stop();
  }

  kill(): void {
    if (this.#phase === "ended" || this.#phase === "released") return;
    void this.#ctl(["kill", "--signal=KILL", this.#unit], askTimeoutMs);
    this.requestStop();
  }

  async check(): Promise<{ health: Health; detail?: string }> {
    const state = await this.#look();
    if (state === undefined) return { health: "fail", detail: `systemd does not answer` };
    return isActive(state) ? { health: "ok" } : { health: "fail", detail: describe(state) };
  }

  async status(): Promise<Json> {
    const state = await this.#show();
    return { unit: this.#unit, osPid: this.osPid ?? null, state: describe(state) };
  }

  async reconfigure(): Promise<"restart"> {
    return "restart";
  }

  async call(message: string): Promise<Json> {
    const text = `a systemd unit takes no messages; ${message} cannot be sent to ${this.#spec.instance}`;
    throw new HalonError("HAL_BAD_REQUEST", text);
  }

  silentMs(): undefined {
    return undefined;
  }

  memoryMb(): undefined {
    return undefined;
  }

  release(): boolean {
    this.#phase = "released";
    clearInterval(this.#watch);
    return true;
  }

  /** Asks systemd, and tells when the unit has ended. */
  async #look(): Promise<UnitState | undefined> {
    const state = await this.#show();
    if (this.#phase !== "running" || state === undefined) return state;
    if (isActive(state)) {
      this.#follow(state);
      return state;
    }
    this.#fail("HAL_FAILED", `${this.#unit} ${describe(state)}`);
    await this.#stop();
    return state;
  }

  /** A death is noticed before the next check. */
  #follow({ mainPid }: UnitState): void {
    const stat = mainPid === 0 ? undefined : readStat(mainPid);
    this.#main = stat;
    clearInterval(this.#watch);
    if (stat === undefined) return;
    this.#watch = setInterval(() => {
      if (isRunning(stat)) return;
      clearInterval(this.#watch);
      void this.#look();
    }, watchEveryMs);
  }

  /** `exited` follows when systemd says that the unit is inactive; else at the next kill. */
  async #stop(): Promise<void> {
    this.#phase = "ending";
    clearInterval(this.#watch);
    const failure = await this.#ctl(["stop", this.#unit], this.#spec.manifest.stopTimeoutMs);
    const state = await this.#show();
    if ((this.#phase as Phase) !== "ending") return;
    if (state?.active === "inactive" || state?.active === "failed") {
      this.#end(describe(state));
      return;
    }
    this.#phase = "running";
    this.#listener({
      type: "problem",
      code: "HAL_FAILED",
      reason: `${this.#unit} does not stop: ${failure ?? describe(state)}`,
    });
  }

  #fail(code: "HAL_SERVICE_START" | "HAL_FAILED", reason: string): void {
    this.#phase = "ending";
    this.#listener({ type: "problem", code, reason: reason.slice(0, 2_000), cause: "exit" });
  }

  #end(reason: string): void {
    this.#phase = "ended";
    this.#listener({ type: "exited", exit: { code: null, signal: null }, reason });
  }

  async #show(): Promise<UnitState | undefined> {
    const names = "ActiveState,SubState,Result,MainPID";
    const args = ["show", `--property=${names}`, this.#unit];
    const { code, output } = await run(this.#options.systemctl, args, askTimeoutMs);
    if (code !== 0) return undefined;
    const values = new Map(
      output.split("\n").map((line) => {
        const equals = line.indexOf("=");
        return [line.slice(0, equals), line.slice(equals + 1)] as const;
      }),
    );
    const pid = Number(values.get("MainPID") ?? 0);
    return {
      active: values.get("ActiveState") ?? "unknown",
      sub: values.get("SubState") ?? "unknown",
      result: values.get("Result") ?? "unknown",
      mainPid: Number.isInteger(pid) ? pid : 0,
    };
  }

  /** Undefined when it succeeded, else what went wrong. */
  async #ctl(args: readonly string[], timeoutMs: number): Promise<string | undefined> {
    const { code, output } = await run(this.#options.systemctl, args, timeoutMs);
    if (code === 0) return undefined;
    const how = code === null ? `did not end within ${timeoutMs} ms` : `returned ${code}`;
    return `systemctl ${args.join(" ")} ${how}${output === "" ? "" : `: ${output.trim()}`}`;
  }
}

function isActive({ active }: UnitState): boolean {
  return active === "active" || active === "reloading";
}

function describe(state: UnitState | undefined): string {
  if (state === undefined) return "systemd does not answer";
  return `is ${state.active} (${state.sub}), result ${state.result}`;
}
