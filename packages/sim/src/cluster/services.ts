import type { JsonObject } from "@halon/protocol";
import type { InstanceEvent, Spawn } from "@halon/service/core";
import { Prng } from "../prng.ts";
import { answerOf, memoryOf } from "./process-answers.ts";
import type { ProcessEnd, Question, ServicePort, ServiceTurn, SimProcess } from "./processes.ts";
import { newProcess, outlives } from "./processes.ts";
import type { ArmedStarts, SimService } from "./scripts.ts";
import { armedFor, configOf, scriptOf } from "./scripts.ts";

export type {
  Plight,
  ProcessAnswer,
  ProcessEnd,
  Question,
  ServicePort,
  ServiceTurn,
  SimProcess,
} from "./processes.ts";

/** What `halond` finds and does not see at once: that something has ended, or a group that stays; µs. */
const seenUs = 1_500;
const groupEndsUs = 20_000;

/** What runs on all machines of a cluster: workers, OS processes and their keepers, each with its script. */
export class ServiceTable {
  /** All that live, oldest first. */
  readonly processes = new Map<number, SimProcess>();
  private readonly port: ServicePort;
  private readonly services: ReadonlyMap<string, SimService>;
  private readonly seed: number;
  private readonly byInstance = new Map<string, SimProcess>();
  /** By slot: incarnation of the `halond` that runs; 0 or absent: none does. */
  private readonly hosts: number[] = [];
  private readonly armed: ArmedStarts = new Map();
  private lastPid = 0;

  constructor(port: ServicePort, services: readonly SimService[], seed: number) {
    this.port = port;
    this.services = new Map(services.map((service) => [service.name, service]));
    this.seed = seed;
  }

  /** Brings an instance to life. `host` is the incarnation of `halond`. */
  launch(slot: number, host: number, spawn: Spawn): SimProcess {
    this.hosts[slot] = host;
    const { service, instance, lease } = spawn;
    const pid = ++this.lastPid;
    const leasedMs = this.port.machineMs(slot) + (lease?.leaseMs ?? 0);
    const process = newProcess(spawn, {
      pid,
      slot,
      host,
      startedUs: this.port.now(),
      script: scriptOf(this.services.get(service), new Prng(this.seed, "process", pid)),
      untilMs: lease === undefined ? Number.POSITIVE_INFINITY : (lease.untilMs ?? leasedMs),
    });
    this.processes.set(pid, process);
    this.byInstance.set(keyOf(slot, instance), process);
    this.port.launched(process);
    this.begin(process);
    return process;
  }

  /** Asks it to stop. This and what follows does nothing to an instance of which nothing runs. */
  requestStop(slot: number, instance: string): void {
    const process = this.of(slot, instance);
    if (process === undefined || process.state === "ending" || process.state === "stopping") return;
    process.state = "stopping";
    const { plight, script } = process;
    if (plight.ignoresStop || plight.hangsSinceUs !== null) return;
    if (plight.end === "crashed") plight.end = "asked";
    this.in(process, script.stopUs, "mainEnds");
  }

  /** Ends it by force, with its group; `exited` follows. */
  kill(slot: number, instance: string): void {
    const process = this.of(slot, instance);
    if (process === undefined) return;
    process.plight.end = "killed";
    process.state = "ending";
    this.in(process, 500, "groupEnds");
  }

  /** Asks it; `ServicePort.answer` with this `ref` follows, within `timeoutMs`. `config` is what `reconfigure` gives. */
  ask(
    slot: number,
    instance: string,
    question: Question,
    ask: {
      readonly ref: number;
      readonly timeoutMs: number;
      readonly config?: JsonObject;
    },
  ): void {
    const process = this.of(slot, instance);
    const { ref, timeoutMs, config } = ask;
    if (process === undefined) {
      this.port.answer(slot, ref, answerOf(question, null, this.port.now(), false));
      return;
    }
    const timeoutUs = (timeoutMs * 1_000_000) / this.port.clockRate(slot);
    const isLate = process.plight.hangsSinceUs !== null || process.script.answerUs > timeoutUs;
    if (question === "reconfigure" && config !== undefined && !isLate) {
      const next = configOf(config);
      if (!next.isBad && process.spawn.manifest.kind === "worker") process.config = next;
      else if (process.spawn.manifest.kind === "worker")
        process.config = { ...process.config, isBad: true };
    }
    const turn = {
      pid: process.pid,
      type: "answers",
      host: process.host,
      ref,
      question,
      isLate,
    } as const;
    this.port.schedule(
      this.port.now() + (isLate ? timeoutUs : process.script.answerUs),
      slot,
      turn,
    );
  }

  /** Gives it the answer to its trouble. */
  answerTrouble(slot: number, instance: string, ref: string): void {
    const process = this.of(slot, instance);
    if (process?.plight.trouble === ref) process.plight.trouble = null;
  }

  /** The keeper hears that the lease holds until then, by the machine's monotonic clock. */
  renew(slot: number, instance: string, untilMs: number): void {
    const process = this.of(slot, instance);
    if (process !== undefined && process.token !== null && untilMs > process.untilMs)
      process.untilMs = untilMs;
  }

  /** Lets go of it without ending it; false when it dies with `halond`. */
  release(slot: number, instance: string): boolean {
    const process = this.of(slot, instance);
    if (process === undefined || !outlives(process)) return false;
    process.host = 0;
    return true;
  }

  /** How long its code has shown no progress, by the machine's clock; undefined where that cannot be seen. */
  silentMs(slot: number, instance: string): number | undefined {
    const process = this.of(slot, instance);
    if (process === undefined || outlives(process)) return undefined;
    const { hangsSinceUs } = process.plight;
    return hangsSinceUs === null
      ? 0
      : ((this.port.now() - hangsSinceUs) * this.port.clockRate(slot)) / 1_000_000;
  }

  /** MiB; undefined where it is not known. */
  memoryMb(slot: number, instance: string): number | undefined {
    const process = this.of(slot, instance);
    return process === undefined ? undefined : memoryOf(process, this.port.now());
  }

  /** The OS process id, where it has one. */
  osPid(slot: number, instance: string): number | undefined {
    const process = this.of(slot, instance);
    return process !== undefined && outlives(process) ? process.pid : undefined;
  }

  /** `halond` of the machine has ended: workers end with it, the others go on and nobody hears them. */
  hostEnded(slot: number): void {
    this.hosts[slot] = 0;
    for (const process of this.on(slot)) if (!outlives(process)) this.end(process, "host");
  }

  /**
   * `halond` of the machine begins, and looks for what an earlier one left: what it takes over, after the rest was ended.
   * `loaded` and `ready` follow as at a start.
   */
  adopt(slot: number, host: number): readonly SimProcess[] {
    this.hosts[slot] = host;
    const adopted: SimProcess[] = [];
    for (const process of this.on(slot)) {
      if (process.state === "ending") {
        this.end(process, "stray");
        continue;
      }
      process.host = host;
      process.plight.trouble = null;
      adopted.push(process);
      this.in(process, seenUs, "adopted");
    }
    return adopted;
  }

  /** The machine is gone, with all that runs on it. */
  machineLost(slot: number): void {
    this.hosts[slot] = 0;
    for (const process of this.on(slot)) this.end(process, "machine");
  }

  /** The machine goes on after a pause: keepers first. To be called before anything else happens on it. */
  resumed(slot: number): void {
    for (const process of this.on(slot))
      if (process.token !== null && process.untilMs <= this.port.machineMs(slot))
        this.expire(process);
  }

  turn(turn: ServiceTurn): void {
    const process = this.processes.get(turn.pid);
    if (process === undefined) return;
    switch (turn.type) {
      case "loaded":
        if (process.state === "starting") this.tell(process, { type: "loaded" });
        return;
      case "ready":
        this.becomeReady(process);
        return;
      case "adopted":
        this.tell(process, { type: "loaded" });
        if (process.state !== "starting") this.tell(process, { type: "ready" });
        return;
      case "mainEnds":
        this.endMain(process);
        return;
      case "groupEnds":
        this.end(process, process.plight.end);
        return;
      case "keeper":
        this.keep(process);
        return;
      case "answers":
        if (process.host === turn.host && this.isHeard(process))
          this.port.answer(
            process.slot,
            turn.ref,
            answerOf(turn.question, process, this.port.now(), turn.isLate),
          );
        return;
    }
  }

  /** The next starts of the service go wrong in this way. */
  arm(
    service: string,
    type: "slowStart" | "failStart" | "ignoreStop" | "fork" | "flap",
    times: number,
  ): void {
    this.armed.set(`${type}/${service}`, times);
  }

  /** All starts go well from now on, and checks; what hangs or leaks goes on with it. */
  calm(): void {
    this.armed.clear();
    for (const { plight } of this.processes.values()) plight.failsChecksUntilUs = 0;
  }

  /** A fault: its main process ends. */
  crash(process: SimProcess, exitCode: number): void {
    if (process.state === "ending") return;
    process.plight.end = "crashed";
    process.plight.exitCode = exitCode;
    this.endMain(process);
  }

  /** It cannot go on by itself, and waits for an answer. */
  trouble(process: SimProcess): void {
    if (process.state !== "running" || process.plight.trouble !== null) return;
    const ref = `trouble-${process.pid}-${this.port.now()}`;
    process.plight.trouble = ref;
    this.tell(process, {
      type: "trouble",
      ref,
      code: "stuck",
      reason: "it cannot go on by itself",
    });
  }

  /** It says that its work is done. Without a `halond` that hears it, it just ends. */
  exit(process: SimProcess): void {
    if (process.state !== "running") return;
    process.plight.end = "exited";
    process.plight.exitCode = 0;
    this.tell(process, { type: "exiting", reason: "its work is done" });
    if (!this.isHeard(process)) this.in(process, process.script.stopUs, "mainEnds");
  }

  private begin(process: SimProcess): void {
    const { script, plight, service } = process;
    const takes = (type: string): boolean => armedFor(this.armed, type, service);
    const slowness = takes("slowStart") ? 30 : 1;
    if (takes("ignoreStop")) plight.ignoresStop = true;
    if (takes("fork")) plight.forks = true;
    if (process.token !== null) this.armKeeper(process);
    this.in(process, (script.readyUs * slowness) >> 1, "loaded");
    if (process.config.isBad || takes("failStart")) {
      plight.end = "failedStart";
      plight.exitCode = 1;
      this.in(process, script.readyUs, "mainEnds");
      return;
    }
    this.in(process, script.readyUs * slowness, "ready");
    if (takes("flap")) {
      plight.exitCode = 1;
      this.in(process, script.readyUs * slowness + 100_000, "mainEnds");
    }
  }

  private becomeReady(process: SimProcess): void {
    if (process.state !== "starting" || process.plight.hangsSinceUs !== null) return;
    process.state = "running";
    this.tell(process, { type: "ready" });
  }

  /** Its main process ends. What it forked stays until `halond` ends the group, or the next one finds it. */
  private endMain(process: SimProcess): void {
    if (process.state === "ending") return;
    const { plight } = process;
    if (plight.end === "failedStart") {
      const code = process.config.isBad ? "HAL_CONFIG_INVALID" : "HAL_SERVICE_START";
      this.tell(process, { type: "problem", code, reason: "it does not start" });
    }
    process.state = "ending";
    if (!plight.forks || !outlives(process)) {
      this.end(process, plight.end);
      return;
    }
    // Nobody is there to end it: it stays, as a stray.
    if (this.isHeard(process)) this.in(process, groupEndsUs, "groupEnds");
  }

  private armKeeper(process: SimProcess): void {
    if (process.isKeeperDue) return;
    process.isKeeperDue = true;
    const inMs = Math.max(0, process.untilMs - this.port.machineMs(process.slot));
    const inUs = Math.ceil((inMs * 1_000_000) / this.port.clockRate(process.slot));
    this.in(process, inUs, "keeper");
  }

  private keep(process: SimProcess): void {
    process.isKeeperDue = false;
    if (process.untilMs <= this.port.machineMs(process.slot)) this.expire(process);
    else this.armKeeper(process);
  }

  private expire(process: SimProcess): void {
    process.plight.exitCode = 137;
    this.end(process, "lease");
  }

  private end(process: SimProcess, end: ProcessEnd): void {
    if (!this.processes.delete(process.pid)) return;
    const key = keyOf(process.slot, process.instance);
    if (this.byInstance.get(key) === process) this.byInstance.delete(key);
    const isHeard = this.isHeard(process);
    this.port.ended(process, end);
    if (!isHeard || end === "host" || end === "machine" || end === "stray") return;
    const signal = end === "killed" || end === "lease" ? "SIGKILL" : null;
    this.port.hear(process.slot, process.instance, {
      type: "exited",
      exit: { code: signal === null ? process.plight.exitCode : null, signal },
      reason: `it ended: ${end}`,
      ...(end === "lease" ? { cause: "lease" as const } : {}),
    });
  }

  /** What it says, if anybody hears it. */
  tell(process: SimProcess, event: InstanceEvent): void {
    if (this.isHeard(process)) this.port.hear(process.slot, process.instance, event);
  }

  /** Whether the `halond` above it is gone. */
  isOrphan(process: SimProcess): boolean {
    return !this.isHeard(process);
  }

  private isHeard(process: SimProcess): boolean {
    return process.host !== 0 && this.hosts[process.slot] === process.host;
  }

  private in(
    process: SimProcess,
    us: number,
    type: "loaded" | "ready" | "mainEnds" | "groupEnds" | "keeper" | "adopted",
  ): void {
    this.port.schedule(this.port.now() + us, process.slot, { pid: process.pid, type });
  }

  private of(slot: number, instance: string): SimProcess | undefined {
    return this.byInstance.get(keyOf(slot, instance));
  }

  private on(slot: number): readonly SimProcess[] {
    return [...this.processes.values()].filter((process) => process.slot === slot);
  }
}

function keyOf(slot: number, instance: string): string {
  return `${slot}/${instance}`;
}
