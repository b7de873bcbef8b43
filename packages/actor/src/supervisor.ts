import type { Behaviour, Self, SpawnOptions } from "./behaviour.ts";
import type { Pid } from "./pid.ts";

/** `permanent` is always restarted, `transient` after an abnormal end, `temporary` never (OTP). */
export type RestartType = "permanent" | "transient" | "temporary";

export interface ChildSpec {
  readonly id: string;
  readonly behaviour: Behaviour;
  readonly restart: RestartType;
  /** How long the child may take to end before it is killed. */
  readonly shutdownMs: number;
  readonly options?: Omit<SpawnOptions, "link" | "monitor">;
}

export interface SupervisorOptions {
  readonly children: readonly ChildSpec[];
  /** More restarts than this within `periodMs` end the supervisor with `shutdown`. Default 1. */
  readonly intensity?: number;
  /** Default 5,000. */
  readonly periodMs?: number;
}

/** Questions that a supervisor answers to `call`. */
export type SupervisorCall = { readonly type: "children" };

export interface ChildInfo {
  readonly id: string;
  readonly pid: Pid | null;
}

/** A one-for-one supervisor: children start in order and are stopped in reverse. */
export declare function supervisor(
  options: SupervisorOptions,
): (self: Self) => ReturnType<Behaviour>;
