import type { HostSnapshotRefusal, ReplicaEffect } from "./effect.ts";
import type { HostRecords } from "./records.ts";

/** Snapshots that the host asked for: one that waits, and one that is being saved. */
export class HostSnapshots {
  readonly #records: HostRecords;
  readonly #emit: (effect: ReplicaEffect) => void;
  #waiting: { readonly id: number; readonly position: number } | null = null;
  /** Null also while one is being saved that the member itself needs. */
  #savingId: number | null = null;

  constructor(records: HostRecords, emit: (effect: ReplicaEffect) => void) {
    this.#records = records;
    this.#emit = emit;
  }

  get isWaiting(): boolean {
    return this.#waiting !== null;
  }

  ask(
    { id, position }: { readonly id: number; readonly position: number },
    isInstalling: boolean,
  ): void {
    const refusal = this.#refusal(position, isInstalling);
    if (refusal === null) this.#waiting = { id, position };
    else this.#done(id, refusal);
  }

  /** A snapshot begins: for the host if it waits, else with the host's state as it stands in the last one. */
  begin(): { readonly hostId: number | null; readonly base: number } {
    const waiting = this.#waiting;
    this.#waiting = null;
    this.#savingId = waiting?.id ?? null;
    return { hostId: this.#savingId, base: waiting?.position ?? this.#records.base };
  }

  /** The one that was begun is durable, or why not. */
  ended(refusal: HostSnapshotRefusal | null): void {
    const id = this.#savingId;
    this.#savingId = null;
    if (id !== null) this.#done(id, refusal);
  }

  /** Another member's takes the place of all that is here. */
  installing(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) this.#done(waiting.id, "installing");
  }

  #refusal(position: number, isInstalling: boolean): HostSnapshotRefusal | null {
    const { base, lastPosition } = this.#records;
    if (isInstalling) return "installing";
    if (position < 1 || position > lastPosition) return "notCommitted";
    if (position < base) return "older";
    return this.#waiting === null ? null : "busy";
  }

  #done(id: number, refusal: HostSnapshotRefusal | null): void {
    this.#emit({ type: "hostSnapshotDone", id, refusal });
  }
}
