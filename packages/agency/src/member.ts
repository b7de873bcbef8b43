import type { Hello } from "@halon/actor";
import type { KvState } from "@halon/kv";
import type { Configuration, Role } from "@halon/raft";
import type { WebSocket } from "ws";
import type { Gossip, GossipAnswer } from "./core/gossip.ts";
import type { LoggedTransaction } from "./core/logged.ts";
import type { AgencyAnswer, AgencyRequest } from "./core/request.ts";
import type { HostLog } from "./host-log.ts";
import type { LogFs } from "./log-fs.ts";

/** Address, data and timing of one member. Times in milliseconds. */
export interface MemberOptions {
  readonly dataDir: string;
  /** How peers and clients reach it. */
  readonly advertise: string;
  /** Any connected graph of addresses. */
  readonly join: readonly string[];
  readonly agencySize: 1 | 3 | 5 | 7;
  readonly electionMinMs: number;
  readonly electionMaxMs: number;
  readonly compactionStep: number;
  readonly compactionKeep: number;
  /** No snapshot before the log has grown by so many bytes, 16 MiB when left out. */
  readonly compactionBytes?: number;
  /**
   * A member of an agency that is already known: nothing is discovered. `id` is `AGNT-<uuid>`; `founders` are ids and
   * addresses of the configuration at index 0, the same on every member. Later starts must name the same id and cluster.
   */
  readonly given?: {
    readonly id: string;
    readonly cluster: string;
    readonly founders: Readonly<Record<string, string>>;
  };
  /** The files of the log; the disk when left out. */
  readonly fs?: LogFs;
  /** One line for the operator. */
  readonly log: (line: string) => void;
  /** The member cannot go on: removed, disk error, damage. Its process ends with this code. */
  readonly onEnd: (reason: string, exitCode: number) => void;
}

/** What `config` shows of consensus, in the words of RFC 0004; indexes are those of transactions. */
export interface MemberStatus {
  readonly id: string;
  readonly role: Role | "discovering" | "waiting" | "unavailable";
  /** Why it is `unavailable` or `waiting`. */
  readonly reason: string | null;
  readonly term: number;
  readonly leaderId: string | null;
  readonly commitIndex: number;
  readonly lastCompactionAt: number;
  readonly nextCompactionAfter: number;
  /** Of a leader: what it knows of each member. Times in ms ago. */
  readonly lastAcked: ReadonlyMap<
    string,
    { readonly ackedMs: number; readonly index: number; readonly appendMs: number | null }
  > | null;
  /** Null while the pool is not complete. */
  readonly configuration: Configuration | null;
  readonly pool: ReadonlyMap<string, string>;
  readonly cluster: string | null;
  readonly startup: "origin" | "persistence";
  readonly timeoutMult: number;
  /** Number of changes of its own configuration. */
  readonly version: number;
}

/** One running member. */
export interface Member {
  readonly status: MemberStatus;
  request(request: AgencyRequest): Promise<AgencyAnswer>;
  gossip(message: Gossip): GossipAnswer;
  /**
   * Of the leader: asks the process at `address` for its id, takes it in as a learner and, unless it is to stay
   * one, promotes it when it has caught up.
   */
  addMember(
    address: string,
    options: { readonly learner: boolean },
  ): Promise<{ readonly id: string | null; readonly answer: AgencyAnswer }>;
  /** What this member itself holds, however old: for `state`, `stores` and `store`. `sequenced` only of a leader. */
  readonly view: {
    readonly committed: KvState;
    readonly sequenced: KvState | null;
    readonly transient: KvState;
    readonly logTime: number;
    readonly log: () => Iterable<LoggedTransaction>;
    /** The tree as of a transaction's index, clamped to what is kept. */
    readonly at: (index: number) => KvState;
  };
  /** The log that this member keeps for its host; the same object for the life of the member. */
  readonly hostLog: HostLog;
  /** A copy of the committed state, in the chunks of a snapshot. */
  snapshot(): AsyncIterable<string>;
  /** Says who it is, for `acceptLink`. */
  readonly hello: Omit<Hello, "class">;
  /** Takes a WebSocket whose upgrade has completed in this tick. */
  accept(ws: WebSocket): Promise<void>;
  /** Hands leadership over if it has it, ends what waits, closes the log. */
  close(): Promise<void>;
}
