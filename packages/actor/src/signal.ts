import type { ErrorData } from "@halon/protocol";
import type { ExitReason, MonitorRef } from "./behaviour.ts";
import type { Address, Pid } from "./pid.ts";

/** What crosses between systems of threads and nodes. */
export type Signal =
  | { readonly type: "send"; readonly to: Address; readonly from: Pid; readonly message: unknown }
  /** `from` is the reply address, which belongs to this call alone. */
  | { readonly type: "call"; readonly to: Address; readonly from: Pid; readonly message: unknown }
  | { readonly type: "reply"; readonly to: Pid; readonly value: unknown }
  | { readonly type: "failure"; readonly to: Pid; readonly error: ErrorData }
  /** A message was not taken; `code` says why. */
  | { readonly type: "refused"; readonly to: Pid; readonly address: Address; readonly code: string }
  | { readonly type: "monitor"; readonly to: Address; readonly from: Pid; readonly ref: MonitorRef }
  | {
      readonly type: "demonitor";
      readonly to: Address;
      readonly from: Pid;
      readonly ref: MonitorRef;
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
  | { readonly type: "whereis"; readonly to: NameQuery; readonly from: Pid }
  /** All processes of a node's start, or of one of its threads, are gone. */
  | {
      readonly type: "gone";
      readonly node: string;
      readonly incarnation: number;
      readonly thread: number | null;
      readonly reason: ExitReason;
    };

/** A name to look up on a node. */
export interface NameQuery {
  readonly name: string;
  readonly node: string;
}
