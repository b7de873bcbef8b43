import type { HostSlot } from "./core/records.ts";

export type { HostSlot } from "./core/records.ts";

/** How an append ended, when that is known; as in the engines of a store (rfc/0006). */
export type HostAppended =
  | { readonly type: "committed" }
  /** This member does not lead in that epoch; nothing was proposed. */
  | { readonly type: "fenced"; readonly epoch: number }
  /** The position is not the next one; nothing was proposed. */
  | { readonly type: "conflict" };

/** Who leads, as far as the host is concerned, and which slots this member holds. */
export interface HostLogStatus {
  /**
   * Set while this member leads and has applied an entry of its own term: `append` is possible under this epoch, and all
   * slots up to `position` were committed before.
   */
  readonly leading: { readonly epoch: number; readonly position: number } | null;
  /** `host:port` of the member that leads, as far as is known. */
  readonly owner: string | null;
  /** The oldest slot that is held, or the next one to come. */
  readonly firstPosition: number;
  /** The last slot that is committed and applied here, 0 when there is none. */
  readonly lastPosition: number;
  /** Grows whenever a snapshot of another member has replaced what was here. */
  readonly installs: number;
}

/**
 * The log that a member keeps for its host, beside the tree: Halon's decision log.
 *
 * Only the leader appends, under its term. Reading is of what is committed and applied here, and needs no leader.
 */
export interface HostLog {
  readonly status: HostLogStatus;
  /** Called after each change of `leading`, `owner`, `firstPosition` or `installs`. The answer ends it. */
  onStatus(listener: (status: HostLogStatus) => void): () => void;
  /** Called after slots were committed and applied here. The answer ends it. */
  onCommit(listener: () => void): () => void;
  /**
   * Proposes one slot of at most 1 MiB and 64 bytes at the next position.
   *
   * Rejects with HAL_STORE_FAILED when the leadership ended meanwhile (the slot may be committed yet), and with
   * HAL_TOO_MANY when consensus takes nothing just now, as while leadership is handed over (nothing was proposed).
   */
  append(
    data: Uint8Array,
    at: { readonly position: number; readonly epoch: number },
  ): Promise<HostAppended>;
  /**
   * Whether this member leads in the term `epoch`, as a majority confirms after the call; false also when it cannot be
   * asked just now. Settles when the leadership ends at the latest.
   */
  confirm(epoch: number): Promise<boolean>;
  /**
   * Committed slots from `from` on, in order: at least one if there is one, at most about 4 MiB. None when `from` is
   * before `firstPosition`: the host's snapshot has them.
   */
  read(from: number): readonly HostSlot[];
  /**
   * Keeps the host's state as of a committed `position`, and drops the slots up to it. Durable when it resolves; on this
   * member alone. Errors: HAL_STORE_FAILED.
   */
  saveSnapshot(position: number, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** The host's state in the newest snapshot, with chunks as they were given. */
  loadSnapshot(): Promise<
    { readonly position: number; readonly chunks: AsyncIterable<Uint8Array> } | undefined
  >;
  /** Steps from a term in which it leads into a new one, to fence an owner that is gone. No effect elsewhere. */
  campaign(): void;
}
