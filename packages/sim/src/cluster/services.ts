import type { CommandAction, Health, JsonObject } from "@halon/protocol";
import type { SimService } from "./scripts.ts";

/** A start that the site of a machine asks for, as its command said. */
export type StartAction = Extract<CommandAction, { readonly type: "StartService" }>;

/** What a process tells the site above it; the same as a real runner tells (packages/service, `RunnerEvent`). */
export type ProcessEvent =
  | { readonly type: "loaded" | "ready" }
  | {
      readonly type: "problem";
      readonly code: "HAL_SERVICE_LOAD" | "HAL_SERVICE_START" | "HAL_CONFIG_INVALID" | "HAL_FAILED";
      readonly reason: string;
    }
  | { readonly type: "exiting"; readonly reason: string }
  | {
      readonly type: "trouble";
      readonly ref: string;
      readonly code: string;
      readonly reason: string;
    }
  | {
      readonly type: "exited";
      readonly exit: { readonly code: number | null; readonly signal: string | null };
      readonly reason: string;
      readonly cause?: "lease" | "memory" | "hung";
    };

/** What a process answers to a question of the site. Of one that hangs no answer comes; the site has the deadline. */
export type ProcessAnswer =
  | { readonly type: "health"; readonly health: Health; readonly detail?: string }
  | { readonly type: "alive"; readonly ok: boolean }
  | { readonly type: "status"; readonly report: { readonly pid: number; readonly config: number } }
  | { readonly type: "reconfigured"; readonly outcome: "done" | "restart" };

export type Question = "health" | "alive" | "status" | "reconfigure";

/** One worker or OS process, with all of its group. Changed in place by its table alone. */
export interface SimProcess {
  readonly pid: number;
  readonly slot: number;
  /** Of the start of `halond` that began it, or took it over last. */
  host: number;
  readonly instance: string;
  readonly service: string;
  /** What one node can hold once: the name that its type declares, or the service's. */
  readonly name: string;
  readonly action: StartAction;
  readonly token: number | null;
  readonly isKept: boolean;
  readonly startedUs: number;
  /** `ending`: its main process is gone, its group is not. */
  state: "starting" | "running" | "stopping" | "ending";
}

/** Why nothing of a process runs any more. */
export type ProcessEnd =
  | "asked"
  | "killed"
  | "crashed"
  | "exited"
  | "failedStart"
  | "lease"
  | "host"
  | "machine"
  | "stray";

/** A turn of a process that is due; opaque to the world, which hands it back to `ServiceTable.turn`. */
export interface ServiceTurn {
  readonly pid: number;
  readonly type: string;
}

/** What the table asks of the world. */
export interface ServicePort {
  /** Virtual time; µs. */
  now(): number;
  /** Hands the turn back at this time; when the machine is paused then, as soon as it goes on. */
  schedule(atUs: number, slot: number, turn: ServiceTurn): void;
  /** The machine's monotonic clock, by which leases count; ms. */
  machineMs(slot: number): number;
  /** How fast that clock runs; in a thousand. */
  clockRate(slot: number): number;
  /** The site of the machine hears what a process tells; only of a process of the `halond` that runs. */
  hear(slot: number, instance: string, event: ProcessEvent): void;
  /** The site of the machine gets the answer to a question. */
  answer(slot: number, ref: number, answer: ProcessAnswer): void;
  /** Something came to life, or nothing of it runs any more: for the rules. */
  launched(process: SimProcess): void;
  ended(process: SimProcess, end: ProcessEnd): void;
}

/** What runs on all machines of a cluster: workers, OS processes and their keepers, each with its script. */
export class ServiceTable {
  /** All that live, oldest first. */
  readonly processes: ReadonlyMap<number, SimProcess> = new Map();

  constructor(port: ServicePort, services: readonly SimService[], seed: number) {
    throw new Error(`not yet ${port} ${services} ${seed}`);
  }

  /** Brings an instance to life; throws when it cannot be. `host` is the incarnation of `halond`, `untilMs` of a lease. */
  launch(slot: number, host: number, action: StartAction, untilMs: number | null): SimProcess {
    throw new Error(`not yet ${slot} ${host} ${action} ${untilMs}`);
  }

  /** Asks it to stop. This and what follows does nothing to an instance of which nothing runs. */
  requestStop(slot: number, instance: string): void {
    throw new Error(`not yet ${slot} ${instance}`);
  }

  /** Ends it by force, with its group; `exited` follows. */
  kill(slot: number, instance: string): void {
    throw new Error(`not yet ${slot} ${instance}`);
  }

  /** Asks it; `ServicePort.answer` with this `ref` follows when it answers. */
  ask(slot: number, instance: string, question: Question, ref: number, config: JsonObject): void {
    throw new Error(`not yet ${slot} ${instance} ${question} ${ref} ${config}`);
  }

  answerTrouble(slot: number, instance: string, ref: string, answer: string): void {
    throw new Error(`not yet ${slot} ${instance} ${ref} ${answer}`);
  }

  /** The keeper hears that the lease holds until then, by the machine's monotonic clock. */
  renew(slot: number, instance: string, untilMs: number): void {
    throw new Error(`not yet ${slot} ${instance} ${untilMs}`);
  }

  /** Lets go of it without ending it; false when it dies with `halond`. */
  release(slot: number, instance: string): boolean {
    throw new Error(`not yet ${slot} ${instance}`);
  }

  /** How long its code has shown no progress, ms; undefined where that cannot be seen. */
  silentMs(slot: number, instance: string): number | undefined {
    throw new Error(`not yet ${slot} ${instance}`);
  }

  /** MiB; undefined where it is not known. */
  memoryMb(slot: number, instance: string): number | undefined {
    throw new Error(`not yet ${slot} ${instance}`);
  }

  /** `halond` of the machine has ended: workers end with it, the others go on and nobody hears them. */
  hostEnded(slot: number): void {
    throw new Error(`not yet ${slot}`);
  }

  /** The next `halond` looks for what an earlier one left: what it takes over, after the rest was ended. */
  adopt(slot: number, host: number): readonly SimProcess[] {
    throw new Error(`not yet ${slot} ${host}`);
  }

  /** The machine is gone, with all that runs on it. */
  machineLost(slot: number): void {
    throw new Error(`not yet ${slot}`);
  }

  /** The machine goes on after a pause: keepers first. To be called before anything else happens on it. */
  resumed(slot: number): void {
    throw new Error(`not yet ${slot}`);
  }

  turn(turn: ServiceTurn): void {
    throw new Error(`not yet ${turn}`);
  }
}
