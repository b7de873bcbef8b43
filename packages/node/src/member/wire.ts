import type { MessagePort } from "node:worker_threads";
import type { ErrorData } from "@halon/protocol";

/** What the member's thread is started with. */
export interface MemberThreadData {
  readonly dataDir: string;
  /** `host:port` at which peers and clients reach the process. */
  readonly advertise: string;
  /** `id` is `AGNT-<uuid>`; `founders` are ids and addresses of the first configuration. */
  readonly member: {
    readonly id: string;
    readonly cluster: string;
    readonly founders: Readonly<Record<string, string>>;
  };
  readonly agencySize: 1 | 3 | 5 | 7;
  /** Where it listens for what the main thread hands on. */
  readonly socketPath: string;
  /** One counter, which grows as long as the thread's event loop turns. */
  readonly beat: SharedArrayBuffer;
}

/** Where a member stands, for those who ask the node. */
export interface MemberThreadStatus {
  readonly role: string;
  readonly term: number;
  readonly leaderId: string | null;
  /** `host:port`. */
  readonly leaderAddress: string | null;
  /** Why it neither leads nor follows, or null. */
  readonly reason: string | null;
}

/** What the main thread tells the member's. */
export type ToMemberThread =
  /** Serves the host's log there from now on; the port before it is closed. */
  | { readonly type: "hostLog"; readonly port: MessagePort }
  | { readonly type: "status"; readonly ref: number }
  | { readonly type: "stop" };

/** What the member's thread tells the main thread. */
export type FromMemberThread =
  | { readonly type: "ready" }
  /** It did not start, and ends after this. */
  | { readonly type: "failed"; readonly error: ErrorData }
  | { readonly type: "log"; readonly line: string }
  | { readonly type: "statusIs"; readonly ref: number; readonly status: MemberThreadStatus }
  /** The member cannot go on; the thread ends after this. */
  | { readonly type: "ended"; readonly reason: string; readonly exitCode: number };
