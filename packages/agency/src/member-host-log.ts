import { HalonError } from "@halon/protocol";
import type { RecordsLeading } from "./core/leadership.ts";
import type { HostSlot } from "./core/records.ts";
import type { Replica } from "./core/replica.ts";
import type { Driver } from "./driver.ts";
import type { HostAppended, HostLog, HostLogStatus } from "./host-log.ts";
import { loadHostState } from "./host-state.ts";
import type { Log } from "./log.ts";

/** Data of one slot. */
const slotBytesMax = 1024 * 1024 + 64;
/** Slots of one `read`, together. */
const readBytesMax = 4 * 1024 * 1024;

/** What a member that runs keeps its host's log with. */
interface Running {
  readonly driver: Driver;
  readonly log: Log;
}

/** The host's log of a member, through all that becomes of the member's own log. */
export class MemberHostLog implements HostLog {
  readonly #onStatus = new Set<(status: HostLogStatus) => void>();
  readonly #onCommit = new Set<() => void>();
  #running: Running | null = null;
  /** Of the driver that runs, or ran last. */
  #replica: Replica | null = null;
  #leading: RecordsLeading | null = null;
  #owner: string | null = null;
  #firstPosition = 1;
  #lastPosition = 0;
  #installs = 0;
  /** Of the drivers before the one that runs. */
  #installsBefore = 0;

  get status(): HostLogStatus {
    return {
      leading: this.#leading,
      owner: this.#owner,
      firstPosition: this.#firstPosition,
      lastPosition: this.#lastPosition,
      installs: this.#installs,
    };
  }

  onStatus(listener: (status: HostLogStatus) => void): () => void {
    this.#onStatus.add(listener);
    return () => this.#onStatus.delete(listener);
  }

  onCommit(listener: () => void): () => void {
    this.#onCommit.add(listener);
    return () => this.#onCommit.delete(listener);
  }

  async append(
    data: Uint8Array,
    at: { readonly position: number; readonly epoch: number },
  ): Promise<HostAppended> {
    if (data.length > slotBytesMax) {
      const message = `A slot has ${data.length} bytes; at most ${slotBytesMax} are allowed.`;
      throw new HalonError("HAL_TOO_LARGE", message);
    }
    const epoch = this.#replica?.raft.currentTerm ?? 0;
    if (this.#running === null) return { type: "fenced", epoch };
    const answer = await this.#running.driver.append(data, at);
    switch (answer.type) {
      case "committed":
      case "fenced":
      case "conflict":
        return answer;
      case "busy":
        throw new HalonError(
          "HAL_TOO_MANY",
          `Consensus takes nothing just now: slot ${at.position} was not proposed. Try again.`,
        );
      case "lostLeadership":
        throw new HalonError(
          "HAL_STORE_FAILED",
          `Leadership in term ${at.epoch} ended while slot ${at.position} waited; it may be committed yet. Read the log to know.`,
        );
    }
  }

  confirm(epoch: number): Promise<boolean> {
    return this.#running?.driver.confirm(epoch) ?? Promise.resolve(false);
  }

  read(from: number): readonly HostSlot[] {
    return this.#replica?.records.read(from, readBytesMax) ?? [];
  }

  async saveSnapshot(position: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#running === null) throw away();
    await this.#running.driver.saveHostState(position, chunks);
  }

  async loadSnapshot(): ReturnType<HostLog["loadSnapshot"]> {
    if (this.#running !== null) return loadHostState(this.#running.log);
    if (this.#replica !== null) throw away();
    return undefined;
  }

  campaign(): void {
    this.#running?.driver.campaign();
  }

  /** The member runs with this from now on. */
  attach(running: Running): void {
    this.#running = running;
    this.#replica = running.driver.replica;
    this.see();
  }

  /** The member does not run: what it held can still be read. */
  detach(): void {
    if (this.#running === null) return;
    this.#running = null;
    this.#installsBefore = this.#installs;
    this.#leading = null;
    this.#owner = null;
    this.#tellStatus();
  }

  /** Looks at what has changed, and tells it within this turn. */
  see(): void {
    if (this.#running === null) return;
    const { raft, records, recordsLeading } = this.#running.driver.replica;
    const { leaderId, configuration } = raft;
    const leader = configuration.members.find(({ id }) => id === leaderId);
    const owner = leader?.address ?? null;
    const installs = this.#installsBefore + records.installs;
    const firstPosition = records.base + 1;
    const isNews =
      recordsLeading !== this.#leading ||
      owner !== this.#owner ||
      installs !== this.#installs ||
      firstPosition !== this.#firstPosition;
    const isMore = records.lastPosition !== this.#lastPosition;
    this.#leading = recordsLeading;
    this.#owner = owner;
    this.#installs = installs;
    this.#firstPosition = firstPosition;
    this.#lastPosition = records.lastPosition;
    if (isNews) this.#tellStatus();
    if (isMore) for (const listener of [...this.#onCommit]) listener();
  }

  #tellStatus(): void {
    for (const listener of [...this.#onStatus]) listener(this.status);
  }
}

function away(): HalonError {
  return new HalonError(
    "HAL_STORE_FAILED",
    "This member's log is not open: its disk is full, or the member ends. Try again when it runs.",
  );
}
