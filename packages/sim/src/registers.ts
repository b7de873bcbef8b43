import {
  configurationAt,
  type Effect,
  entriesOf,
  entryKind,
  type Input,
  init,
  type RaftState,
  step,
  termAt,
} from "@halon/raft";
import { mix } from "./prng.ts";
import type {
  Process,
  ProcessEffect,
  ProcessInput,
  ProcessStart,
  SimAnswer,
  SimRequest,
  StepFunction,
} from "./process.ts";

const commandBytes = 14;
/** Makes snapshots long enough to travel in parts. */
const paddingBytes = 256;

interface WaitingWrite {
  readonly id: number;
  readonly term: number;
}

/**
 * Registers over consensus alone: the smallest state machine with a history that can be checked.
 *
 * A command is decided when it is applied. It is the fast half of the simulator; the other runs the agency's replica.
 */
export class Registers implements Process {
  readonly host = null;
  raft: RaftState;
  appliedIndex: number;
  private readonly stepOf: StepFunction;
  private readonly start: ProcessStart;
  private values = new Map<number, number>();
  /** Of all entries applied, in order. */
  private digest = 0;
  private readonly writes = new Map<number, WaitingWrite>();
  private readonly keysOfReads = new Map<number, number>();
  private reads: { readonly id: number; readonly index: number }[] = [];
  private snapshotIndex: number;
  private isSaving = false;
  private effects: ProcessEffect[] = [];

  constructor(start: ProcessStart, stepOf: StepFunction = step) {
    const { id, raft: options, seed, found, configuration } = start;
    this.start = start;
    this.stepOf = stepOf;
    this.raft = init({ id, options, seed, found, configuration });
    this.appliedIndex = found?.snapshot.index ?? 0;
    this.snapshotIndex = this.appliedIndex;
    if (start.snapshotBytes.length > 0) this.load(start.snapshotBytes);
  }

  get waitingCount(): number {
    return this.writes.size + this.keysOfReads.size;
  }

  step(input: ProcessInput): readonly ProcessEffect[] {
    this.effects = [];
    switch (input.type) {
      case "request":
        this.request(input.id, input.request);
        break;
      case "tick":
        this.advance({ type: "tick" });
        break;
      case "flush":
      case "apply":
      case "hostTurn":
      case "store":
      case "campaign":
      case "snapshotFailed":
        break;
      case "snapshotSaved": {
        const { meta } = input.snapshot;
        this.isSaving = false;
        if (meta.index <= this.raft.log.snapshot.index) break;
        const firstIndex = Math.max(
          this.raft.log.firstIndex,
          meta.index + 1 - this.start.keepEntries,
        );
        this.advance({ type: "compacted", snapshot: meta, firstIndex });
        this.effects.push({ type: "compactLog", firstIndex });
        break;
      }
      case "snapshotInstalled":
        this.load(input.snapshot.bytes);
        this.appliedIndex = input.snapshot.meta.index;
        this.snapshotIndex = this.appliedIndex;
        this.advance({ type: "snapshotInstalled", index: this.appliedIndex });
        break;
      default:
        this.advance(input);
    }
    return this.effects;
  }

  stateBytes(): Uint8Array {
    const keys = [...this.values.keys()].sort((left, right) => left - right);
    const bytes = new Uint8Array(8 + 8 * keys.length + paddingBytes);
    const view = new DataView(bytes.buffer);
    view.setInt32(0, this.digest);
    view.setInt32(4, keys.length);
    keys.forEach((key, i) => {
      view.setInt32(8 + 8 * i, key);
      view.setInt32(12 + 8 * i, this.values.get(key) ?? 0);
    });
    return bytes;
  }

  private load(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.digest = view.getInt32(0);
    this.values = new Map();
    for (let i = 0; i < view.getInt32(4); i++)
      this.values.set(view.getInt32(8 + 8 * i), view.getInt32(12 + 8 * i));
  }

  private request(id: number, request: SimRequest): void {
    if (this.raft.role !== "leader") {
      const { leaderId } = this.raft;
      this.answer(
        id,
        leaderId === null || leaderId === this.raft.id
          ? { type: "noLeader" }
          : { type: "notLeader", leaderId },
      );
      return;
    }
    switch (request.type) {
      case "write":
      case "cas": {
        this.propose(id, commandOf(request));
        return;
      }
      case "read":
        this.keysOfReads.set(id, request.key);
        {
          this.advance({ type: "read", id });
          return;
        }
      case "changeMembers": {
        this.operate(id, { type: "changeMembers", change: request.change });
        return;
      }
      case "transfer": {
        this.operate(id, { type: "transfer", to: request.to });
        return;
      }
    }
  }

  private propose(id: number, data: Uint8Array): void {
    const [next, effects] = this.stepOf(this.raft, { type: "propose", data });
    let refusal: SimAnswer | null = { type: "busy" };
    for (const effect of effects)
      if (effect.type === "proposed") {
        this.writes.set(effect.index, { id, term: effect.term });
        refusal = null;
      }
    if (refusal !== null) this.answer(id, refusal);
    this.become(next, effects);
  }

  /** Answered when it has begun; what comes of it shows in the configuration and in the leader. */
  private operate(id: number, input: Input): void {
    const [next, effects] = this.stepOf(this.raft, input);
    let answer: SimAnswer = { type: "ok", value: null };
    for (const effect of effects)
      if (effect.type === "refused") answer = { type: "refused", reason: effect.reason };
    this.answer(id, answer);
    this.become(next, effects);
  }

  private advance(input: Input): void {
    const [next, effects] = this.stepOf(this.raft, input);
    this.become(next, effects);
  }

  private become(next: RaftState, effects: readonly Effect[]): void {
    const lost =
      this.raft.role === "leader" &&
      (next.role !== "leader" || next.currentTerm !== this.raft.currentTerm);
    this.raft = next;
    for (const effect of effects) this.perform(effect);
    if (lost && this.writes.size > 0) {
      for (const { id } of this.writes.values()) this.answer(id, { type: "unknown" });
      this.writes.clear();
    }
  }

  private perform(effect: Effect): void {
    switch (effect.type) {
      case "commit": {
        this.applyUpTo(effect.index);
        return;
      }
      case "readReady":
        for (const id of effect.ids) this.reads.push({ id, index: effect.index });
        {
          this.answerReads();
          return;
        }
      case "readFailed":
        for (const id of effect.ids) {
          this.keysOfReads.delete(id);
          this.answer(id, { type: "noLeader" });
        }
        return;
      case "proposed":
      case "refused":
        return;
      default:
        this.effects.push(effect);
    }
  }

  private applyUpTo(index: number): void {
    for (const entry of entriesOf(this.raft.log, this.appliedIndex + 1, index)) {
      this.digest = mix(mix(this.digest, entry.index), entry.term);
      const answer = this.apply(entry.data);
      this.appliedIndex = entry.index;
      const waiting = this.writes.get(entry.index);
      if (waiting === undefined) continue;
      this.writes.delete(entry.index);
      this.answer(waiting.id, waiting.term === entry.term ? answer : { type: "unknown" });
    }
    this.answerReads();
    this.saveWhenDue();
  }

  private apply(data: Uint8Array): SimAnswer {
    if (data[0] !== entryKind.command) return { type: "ok", value: null };
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const key = view.getInt32(2);
    if (data[1] === 1 && (this.values.get(key) ?? -1) !== view.getInt32(10))
      return { type: "failed" };
    this.values.set(key, view.getInt32(6));
    return { type: "ok", value: null };
  }

  private answerReads(): void {
    if (this.reads.length === 0) return;
    const waiting: { readonly id: number; readonly index: number }[] = [];
    for (const read of this.reads) {
      if (read.index > this.appliedIndex) {
        waiting.push(read);
        continue;
      }
      const key = this.keysOfReads.get(read.id);
      if (key === undefined) continue;
      this.keysOfReads.delete(read.id);
      this.answer(read.id, { type: "ok", value: this.values.get(key) ?? null });
    }
    this.reads = waiting;
  }

  private saveWhenDue(): void {
    if (this.isSaving || this.appliedIndex - this.snapshotIndex < this.start.compactEntries) return;
    const index = this.appliedIndex;
    const term = termAt(this.raft.log, index);
    const configuration = configurationAt(this.raft, index);
    // One that was added later knows nobody before it has the entry that added it; no snapshot may say so.
    if (term === null || configuration.members.length === 0) return;
    this.isSaving = true;
    this.snapshotIndex = index;
    const meta = { index, term, configuration };
    this.effects.push({
      type: "takeSnapshot",
      snapshot: { meta, bytes: this.stateBytes() },
      fails: false,
    });
  }

  private answer(id: number, answer: SimAnswer): void {
    this.effects.push({ type: "answer", id, answer });
  }
}

function commandOf(request: SimRequest & { readonly type: "write" | "cas" }): Uint8Array {
  const bytes = new Uint8Array(commandBytes);
  const view = new DataView(bytes.buffer);
  bytes[0] = entryKind.command;
  bytes[1] = request.type === "cas" ? 1 : 0;
  view.setInt32(2, request.key);
  view.setInt32(6, request.value);
  view.setInt32(10, request.type === "cas" ? (request.expected ?? -1) : -1);
  return bytes;
}
