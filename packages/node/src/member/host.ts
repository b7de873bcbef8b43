import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { MessagePort } from "node:worker_threads";

/** Who the member is, and what it tells. */
export interface MemberThreadOptions {
  readonly dataDir: string;
  /** `host:port` at which peers and clients reach this process. */
  readonly advertise: string;
  /** `id` is `AGNT-<uuid>`; `founders` are ids and addresses of the first configuration. */
  readonly member: {
    readonly id: string;
    readonly cluster: string;
    readonly founders: Readonly<Record<string, string>>;
  };
  readonly agencySize: 1 | 3 | 5 | 7;
  /** One line for the operator. */
  readonly log: (line: string) => void;
  /** The member has ended for a reason that another start does not cure; called once. */
  readonly onEnd: (reason: string, exitCode: number) => void;
}

/** Where the member stands, for those who ask the node. */
export interface MemberThreadStatus {
  readonly role: string;
  readonly term: number;
  readonly leaderId: string | null;
  /** `host:port`. */
  readonly leaderAddress: string | null;
  readonly reason: string | null;
}

/** The member of the agency in a thread of its own, seen from the main thread. */
export interface MemberHost {
  /** The end of a channel for `openAgencyEngine`, to be handed to a thread; the channel before it is over. */
  openHostLog(): MessagePort;
  /** Answers a request of the agency; false: it is none, and nothing was done. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
  /** Takes an upgrade of a link that is for the agency; false: it is not. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  status(): Promise<MemberThreadStatus>;
  close(): Promise<void>;
}

/**
 * Starts the member's thread, and again when it crashes or stands still.
 *
 * Resolves when the member has read its disk. Errors: as of `startMember` of `@halon/agency`.
 */
export function startMemberThread(_options: MemberThreadOptions): Promise<MemberHost> {
  return Promise.reject(new Error("not built yet"));
}
