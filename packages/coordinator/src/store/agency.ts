import type { MessagePort } from "node:worker_threads";
import { connectHostLog, type HostLogClient } from "@halon/agency";
import { HalonError } from "@halon/protocol";
import type { Engine, SlotAppended } from "./engine.ts";

/** Wait before what consensus did not take, as while leadership is handed over, is offered again. */
const againMs = 20;

/**
 * The decision log in the member of the agency at the other end of `port` (rfc/0006): the epoch is the member's term.
 *
 * Resolves when the member runs. Errors: HAL_STORE_FAILED when the port closes, here and in all that waits later.
 */
export async function openAgencyEngine(port: MessagePort): Promise<Engine> {
  return new AgencyEngine(await connectHostLog(port));
}

class AgencyEngine implements Engine {
  readonly snapshotsAreOwn = true;
  readonly #log: HostLogClient;
  #epoch = 0;
  /** Why ownership is over, once it is. */
  #lost: string | null = null;
  #owner: string | null;
  readonly #ownerListeners = new Set<() => void>();
  readonly #lostListeners = new Set<(reason: string) => void>();

  constructor(log: HostLogClient) {
    this.#log = log;
    this.#owner = log.status.owner;
    log.onStatus(() => this.#look());
    log.onEnd(() => this.#lose("the member of the agency in this process has ended"));
  }

  get epoch(): number {
    return this.#epoch;
  }

  get firstPosition(): number {
    return this.#log.status.firstPosition;
  }

  get owner(): string | null {
    return this.#owner;
  }

  onOwner(listener: () => void): () => void {
    this.#ownerListeners.add(listener);
    return () => this.#ownerListeners.delete(listener);
  }

  async lead(): Promise<void> {
    this.#epoch = await this.#log.lead();
    this.#look();
  }

  async confirm(): Promise<boolean> {
    if (this.#epoch === 0 || this.#lost !== null) return false;
    return (await this.#log.confirm(this.#epoch)) && this.#lost === null;
  }

  onLost(listener: (reason: string) => void): () => void {
    const once = (reason: string): void => {
      if (this.#lostListeners.delete(once)) listener(reason);
    };
    this.#lostListeners.add(once);
    // Who asks late is told all the same, in a turn of its own.
    if (this.#lost !== null) queueMicrotask(() => once(this.#lost ?? ""));
    return () => this.#lostListeners.delete(once);
  }

  async append(data: Uint8Array, at: { position: number; epoch: number }): Promise<SlotAppended> {
    for (;;) {
      if (at.epoch !== this.#epoch || this.#lost !== null) {
        return { type: "fenced", epoch: this.#log.status.leading?.epoch ?? this.#epoch };
      }
      try {
        return await this.#log.append(data, at);
      } catch (error) {
        if (!(error instanceof HalonError) || error.code !== "HAL_TOO_MANY") throw error;
      }
      // Ends with leadership at the latest, which no consensus keeps without taking entries.
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  }

  read(from: number): ReturnType<Engine["read"]> {
    return this.#log.read(from);
  }

  onCommit(listener: () => void): () => void {
    return this.#log.onCommit(listener);
  }

  saveSnapshot(position: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#log.saveSnapshot(position, chunks);
  }

  loadSnapshot(): ReturnType<Engine["loadSnapshot"]> {
    return this.#log.loadSnapshot();
  }

  async compactTo(): Promise<void> {
    // The member dropped the slots when it saved the snapshot.
  }

  async close(): Promise<void> {
    this.#log.close();
  }

  #look(): void {
    const { leading, owner } = this.#log.status;
    if (this.#epoch > 0 && leading?.epoch !== this.#epoch) {
      const now = leading === null ? "its member does not lead" : `the term is ${leading.epoch}`;
      this.#lose(`${now} any more`);
    }
    if (owner === this.#owner) return;
    this.#owner = owner;
    for (const listener of this.#ownerListeners) listener();
  }

  #lose(reason: string): void {
    if (this.#epoch === 0 || this.#lost !== null) return;
    this.#lost = reason;
    for (const listener of [...this.#lostListeners]) listener(reason);
  }
}
