import type { ErrorData } from "@halon/protocol";
import type { ExitReason, MonitorRef } from "./core/behaviour.ts";
import type { Address, Pid } from "./core/pid.ts";

/** A signal for one process, name or call. */
export type Addressed =
  | { readonly type: "send"; readonly to: Address; readonly from: Pid; readonly message: unknown }
  /** `from` is the sender; `reply` is the address of this call alone. */
  | {
      readonly type: "call";
      readonly to: Address;
      readonly from: Pid;
      readonly reply: Pid;
      readonly message: unknown;
    }
  | { readonly type: "reply"; readonly to: Pid; readonly value: unknown }
  | { readonly type: "failure"; readonly to: Pid; readonly error: ErrorData }
  /** A message was not taken. */
  | {
      readonly type: "refused";
      readonly to: Pid;
      readonly address: Address;
      readonly error: ErrorData;
    }
  | { readonly type: "monitor"; readonly to: Address; readonly from: Pid; readonly ref: MonitorRef }
  | {
      readonly type: "demonitor";
      readonly to: Address;
      readonly from: Pid;
      readonly ref: MonitorRef;
    }
  /** Who holds the name that a monitor (`ref`) or call (null) was sent to. */
  | {
      readonly type: "resolved";
      readonly to: Pid;
      readonly ref: MonitorRef | null;
      readonly pid: Pid;
    }
  | {
      readonly type: "down";
      readonly to: Pid;
      readonly ref: MonitorRef;
      readonly reason: ExitReason;
    }
  | { readonly type: "link"; readonly to: Pid; readonly from: Pid }
  | { readonly type: "unlink"; readonly to: Pid; readonly from: Pid }
  /** `linked`: the end of a linked process; else someone asked for the exit. */
  | {
      readonly type: "exit";
      readonly to: Pid;
      readonly from: Pid;
      readonly reason: ExitReason;
      readonly linked: boolean;
    }
  | { readonly type: "whereis"; readonly to: Address; readonly from: Pid };

/** All processes of a start of a node, or of one of its threads, cannot be reached any more. */
export interface Gone {
  readonly type: "gone";
  /** `<node>/<incarnation>/`. */
  readonly start: string;
  /** Null: the whole node. */
  readonly thread: number | null;
  readonly reason: ExitReason;
}

/** What crosses between the systems of threads and nodes. */
export type Signal = Addressed | Gone;

/** A way to other systems: a link to a node, or the port of a thread. */
export interface Route {
  /** Errors: HAL_BAD_REQUEST, HAL_TOO_LARGE, HAL_MAILBOX_FULL, HAL_UNREACHABLE. */
  send(signal: Signal): void;
}
