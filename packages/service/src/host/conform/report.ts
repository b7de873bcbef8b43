import type { JsonObject, ServiceKind } from "@halon/protocol";

/** What is checked of a service type, in this order. */
export const checkTitles = {
  loads: "loads and has a schema that can be met",
  starts: "starts and becomes ready within startTimeout",
  "start-twice": "a second start answers the same and starts nothing",
  "check-starting": "can be checked while it starts",
  checks: "answers Check within checkTimeout",
  status: "answers Status with plain data",
  stops: "stops within stopTimeout, without a kill",
  "stop-twice": "a stop of what is stopped is answered",
  "nothing-left": "leaves nothing behind when it is stopped",
  restarts: "starts again after a stop",
  killed: "is reported when it is killed, and starts again",
  hung: "is ended when it hangs, and starts again",
  reconfigures: "takes each field of its configuration, or restarts for it",
  refuses: "refuses what its schema refuses",
  messages: "answers its messages, and refuses bad arguments",
  resources: "holds only resources that it declares",
  "two-names": "runs twice on one node under two names",
  agent: "its agent keeps to the exit codes of OCF",
} as const;

/** Name of a check, as `--only` takes it. */
export type CheckName = keyof typeof checkTitles;

/** `warned` is worth a look and no failure; `skipped` does not apply, and the detail says why. */
export type CheckOutcome = "ok" | "warned" | "failed" | "skipped";

/** What became of one check. */
export interface CheckReport {
  readonly check: CheckName;
  readonly title: string;
  readonly outcome: CheckOutcome;
  /** Why it failed, was skipped or warns; otherwise what was seen. Empty: nothing to add. */
  readonly detail: string;
  readonly durationMs: number;
}

/** What became of a service file. */
export interface ConformReport {
  readonly file: string;
  /** Undefined when the file does not compile. */
  readonly type: string | undefined;
  readonly version: string | undefined;
  readonly kind: ServiceKind | undefined;
  readonly checks: readonly CheckReport[];
}

/** How a service file is checked. */
export interface ConformOptions {
  /** Default: that of the schema, with made-up values for what has no default. */
  readonly config?: JsonObject | undefined;
  /** This check alone, and `loads`. */
  readonly only?: CheckName | undefined;
  /** Called when a check begins. */
  began?(check: CheckName): void;
  /** Called when a check has ended. */
  ended?(report: CheckReport): void;
  /** Aborted: no further check begins. */
  readonly signal?: AbortSignal | undefined;
}
