import type { AppendAnswer, Replica } from "@halon/agency/core";
import type { FoldedSlot, HostAppend, HostView } from "../host.ts";
import type { QuestionsView } from "../host-questions.ts";
import { withSlot } from "../host-snapshot.ts";
import type { SavedState } from "./member-snapshot.ts";

type HostLog = Pick<Replica["records"], "base" | "installs" | "lastPosition" | "read">;

const readBytesMax = 65_536;

/**
 * The records of a member as the rules of members see them: each slot that it holds, what its coordinator asks of it, and
 * what it answers.
 */
export class MemberHost implements HostView {
  /** In the newest snapshot of the member. */
  #saved: SavedState;
  #installs = 0;
  #position = 0;
  /** Chains at the positions after `#base`. */
  #chains: number[] = [];
  #base = 0;
  readonly #appends = new Map<number, HostAppend>();
  readonly #questions = new Map<number, number>();
  /** States that the coordinator gave, by the number of its snapshot. */
  readonly #offered = new Map<number, SavedState>();
  folded: FoldedSlot[] = [];
  loaded: SavedState[] = [];
  wrong: string | null = null;
  heldSlots = 0;
  healedEpoch = 0;

  constructor(saved: SavedState) {
    this.#saved = saved;
    this.#load();
  }

  get position(): number {
    return this.#position;
  }

  get chain(): number {
    return this.chainAt(this.#position);
  }

  get askedSnapshots(): number {
    return this.#offered.size;
  }

  get saved(): SavedState {
    return this.#saved;
  }

  get questions(): QuestionsView {
    return { waitingCount: this.#questions.size, isAsking: false, healedEpoch: 0 };
  }

  /** Turns of the coordinator are the cluster's. */
  pauseUs(): number {
    throw new Error("this host has turns of its own");
  }

  seen(): void {
    if (this.folded.length > 0) this.folded = [];
    if (this.loaded.length > 0) this.loaded = [];
  }

  /** Hash over all records up to a position that is held. */
  chainAt(position: number): number {
    const chain =
      position === this.#base ? this.#saved.chain : this.#chains[position - this.#base - 1];
    if (chain === undefined) throw new Error(`record ${position} is not held`);
    return chain;
  }

  /** Takes in what its member has applied. */
  follow(log: HostLog): void {
    if (log.installs !== this.#installs) {
      this.#installs = log.installs;
      this.#load();
    }
    this.heldSlots = log.lastPosition - log.base;
    if (log.base !== this.#base)
      this.wrong ??= `its member holds slots after ${log.base}, the saved state is of ${this.#base}`;
    while (this.#position < log.lastPosition) {
      const slots = log.read(this.#position + 1, readBytesMax);
      if (slots.length === 0) {
        this.wrong ??= `slot ${this.#position + 1} is not held`;
        return;
      }
      for (const slot of slots) {
        const { position, epoch, data } = slot;
        const { chain } = withSlot({ position: this.#position, chain: this.chain }, slot);
        this.#chains.push(chain);
        this.#position += 1;
        this.folded.push({ position, epoch, nonce: nonceOf(data), chain });
      }
    }
  }

  asks(append: Omit<HostAppend, "nonce" | "isProbe">, data: Uint8Array): HostAppend {
    const asked = { ...append, nonce: nonceOf(data), isProbe: false };
    this.#appends.set(append.id, asked);
    return asked;
  }

  appended(id: number, answer: AppendAnswer): HostAppend {
    const append = this.#appends.get(id);
    if (append === undefined) throw new Error(`append ${id} ends twice, or was never asked for`);
    this.#appends.delete(id);
    if (answer.type === "committed") this.healedEpoch = append.epoch;
    return append;
  }

  questioned(id: number, epoch: number): void {
    this.#questions.set(id, epoch);
  }

  /** The epoch of the question. */
  answered(id: number): number {
    const epoch = this.#questions.get(id);
    if (epoch === undefined) throw new Error(`question ${id} ends twice, or was never asked`);
    this.#questions.delete(id);
    return epoch;
  }

  offers(id: number, position: number, text: string): void {
    this.#offered.set(id, { position, chain: this.chainAt(position), text });
  }

  /** What it gave for the snapshot `id`; null: what the newest one has. */
  given(id: number | null): SavedState {
    const offered = id === null ? this.#saved : this.#offered.get(id);
    if (offered === undefined) throw new Error(`snapshot ${id} was answered before it was saved`);
    return offered;
  }

  offerEnded(id: number): void {
    if (!this.#offered.delete(id)) throw new Error(`snapshot ${id} of the host ends twice`);
  }

  /** A snapshot with this state is durable; of an own one the slots up to it are dropped. */
  hasSaved(saved: SavedState): void {
    const dropped = saved.position - this.#base;
    this.#saved = saved;
    if (dropped < 0 || saved.position > this.#position) return;
    this.#chains.splice(0, dropped);
    this.#base = saved.position;
  }

  #load(): void {
    this.#position = this.#saved.position;
    this.#base = this.#saved.position;
    this.#chains = [];
    this.loaded.push(this.#saved);
  }
}

/** 52 bits of the content: records differ, by their index and epoch at least. */
function nonceOf(data: Uint8Array): number {
  let hash = 0x811c9dc5;
  let other = data.length;
  for (let i = 0; i < data.length; i++) {
    const byte = data[i] ?? 0;
    hash = Math.imul(hash ^ byte, 0x01000193);
    other = (Math.imul(other, 31) + byte) | 0;
  }
  return (hash >>> 0) * 0x100000 + (other & 0xfffff);
}
