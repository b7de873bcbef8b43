import type {
  AliveAnswer,
  HealthAnswer,
  InstanceEvent,
  ReconfigureAnswer,
  Spawn,
  StatusAnswer,
} from "@halon/service/core";
import { configOf, exclusiveName, freshPlight, type ServiceScript } from "./scripts.ts";

/** Why nothing of a process runs any more. */
export type ProcessEnd =
  | "asked"
  | "killed"
  | "crashed"
  | "exited"
  | "failedStart"
  /** Its keeper ended it. */
  | "lease"
  /** `halond` ended, and it with it. */
  | "host"
  | "machine"
  /** The next `halond` found a group without its main process. */
  | "stray";

/** What a process answers to a question of the site, in time or as late. */
export type ProcessAnswer =
  | { readonly type: "health"; readonly answer: HealthAnswer }
  | { readonly type: "alive"; readonly answer: AliveAnswer }
  | { readonly type: "status"; readonly answer: StatusAnswer }
  | { readonly type: "reconfigure"; readonly answer: ReconfigureAnswer };

export type Question = ProcessAnswer["type"];

/** One worker or OS process, with all of its group. Changed by its table alone. */
export interface SimProcess {
  readonly pid: number;
  readonly slot: number;
  /** Incarnation of the `halond` that began it, or took it over last. */
  host: number;
  readonly instance: string;
  readonly service: string;
  /** What one node can hold once: the name that its type declares for itself and others, or the service's. */
  readonly name: string;
  readonly spawn: Spawn;
  /** Of an exclusive start. */
  readonly token: number | null;
  readonly startedUs: number;
  /** `ending`: its main process is gone, its group is not. */
  state: "starting" | "running" | "stopping" | "ending";
  readonly script: ServiceScript;
  /** What a fault has done to it. */
  readonly plight: Plight;
  /** Version of its configuration, and whether that is one with which it cannot start. */
  config: { readonly version: number; readonly isBad: boolean };
  /** Of a kept one: end of its lease, by the machine's monotonic clock; ms. */
  untilMs: number;
  /** A turn of its keeper is under way. */
  isKeeperDue: boolean;
}

export interface Plight {
  hangsSinceUs: number | null;
  leaksSinceUs: number | null;
  failsChecksUntilUs: number;
  ignoresStop: boolean;
  forks: boolean;
  trouble: string | null;
  /** Why it will end as it does. */
  end: ProcessEnd;
  exitCode: number;
}

/** A turn of a process that is due; opaque to the world, which hands it back to `ServiceTable.turn`. */
export type ServiceTurn = { readonly pid: number } & (
  | { readonly type: "loaded" | "ready" | "mainEnds" | "groupEnds" | "keeper" }
  | { readonly type: "adopted" }
  | {
      readonly type: "answers";
      readonly host: number;
      readonly ref: number;
      readonly question: Question;
      readonly isLate: boolean;
    }
);

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
  /** The site of the machine hears what a process tells; only of one of the `halond` that runs. */
  hear(slot: number, instance: string, event: InstanceEvent): void;
  /** The site of the machine gets the answer to a question. */
  answer(slot: number, ref: number, answer: ProcessAnswer): void;
  /** Something came to life, or nothing of it runs any more: for the rules. */
  launched(process: SimProcess): void;
  ended(process: SimProcess, end: ProcessEnd): void;
}

/** One that is being started. */
export function newProcess(
  spawn: Spawn,
  more: Pick<SimProcess, "pid" | "slot" | "host" | "startedUs" | "script" | "untilMs">,
): SimProcess {
  const { service, instance, manifest, lease } = spawn;
  return {
    ...more,
    instance,
    service,
    name: exclusiveName(service, manifest),
    spawn,
    token: lease?.token ?? null,
    state: "starting",
    plight: freshPlight(),
    config: configOf(spawn.config),
    isKeeperDue: false,
  };
}

/** Whether it lives on when `halond` dies. */
export function outlives({ spawn, token }: SimProcess): boolean {
  return token !== null || spawn.manifest.kind !== "worker";
}
