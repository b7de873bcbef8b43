import {
  type AppendAnswer,
  LogOwnership,
  noRecords,
  Replica,
  type ReplicaEffect,
  type ReplicaInput,
} from "@halon/agency/core";
import { emptyKv, type KvState, SnapshotReader, snapshotChunks } from "@halon/kv";
import type { RaftState } from "@halon/raft";
import { answerOf, requestOf } from "../agency-requests.ts";
import type { StoredSnapshot } from "../disk.ts";
import type { HostAppend } from "../host.ts";
import { canonicalBytes } from "../host-snapshot.ts";
import type { Process, ProcessEffect, ProcessInput, ProcessStart } from "../process.ts";
import { MemberHost } from "./member-host.ts";
import {
  joinMemberSnapshot,
  noSavedState,
  type SavedState,
  splitMemberSnapshot,
} from "./member-snapshot.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const encode = (text: string): Uint8Array => encoder.encode(text);
const decode = (bytes: Uint8Array): string => decoder.decode(bytes);

/** What an entry takes, about: so many of its bytes stay before a snapshot. */
const entryBytes = 500;

/** What a coordinator asks of the member in its process. */
export type StoreInput =
  | Extract<ReplicaInput, { readonly type: "appendRecord" | "confirmLead" }>
  | (Extract<ReplicaInput, { readonly type: "hostSnapshot" }> & { readonly text: string });

/** A member's answer to its coordinator. */
export type StoreAnswer =
  | { readonly type: "appended"; readonly id: number; readonly answer: AppendAnswer }
  | { readonly type: "confirmed"; readonly id: number; readonly leads: boolean }
  | { readonly type: "snapshotDone"; readonly id: number; readonly refusal: string | null };

/** The agency's replica as a tracking node runs it, with the log of its coordinator. */
export class MemberProcess implements Process {
  readonly host: MemberHost;
  readonly replica: Replica;
  /** What coordinators of this process have owned: the next one must not append under it. */
  readonly ownership = new LogOwnership();
  readonly #keysOfReads = new Map<number, number>();
  #saving: SavedState = noSavedState;
  #answers: StoreAnswer[] = [];
  #seen = { lastPosition: -1, installs: 0, epoch: 0, leaderId: null as string | null };

  constructor(start: ProcessStart) {
    const { found, snapshotBytes } = start;
    const stored = storedOf(snapshotBytes);
    this.replica = new Replica(
      {
        id: start.id,
        raft: start.raft,
        seed: start.seed,
        encode,
        decode,
        agencySize: start.agencySize,
        compactionStep: start.compactEntries,
        compactionKeep: start.keepEntries,
        compactionKeepBytes: start.keepEntries * entryBytes,
      },
      {
        found,
        configuration: start.configuration,
        state: stored.state,
        records: stored.records,
        snapshotBytes: snapshotBytes.length,
      },
    );
    this.host = new MemberHost(stored.saved);
    this.host.follow(this.replica.records);
  }

  get raft(): RaftState {
    return this.replica.raft;
  }

  get appliedIndex(): number {
    return this.replica.appliedIndex;
  }

  get waitingCount(): number {
    return this.replica.waitingCount;
  }

  stateBytes(): Uint8Array {
    const { position, chain } = this.host;
    const tree = bytesOf(this.replica.committed);
    return canonicalBytes({ tree, records: noRecords, host: { position, chain } });
  }

  /** What the coordinator is told since this was asked last. */
  takeAnswers(): readonly StoreAnswer[] {
    if (this.#answers.length === 0) return [];
    const answers = this.#answers;
    this.#answers = [];
    return answers;
  }

  /** Whether what the coordinator reads of it has changed since this was asked last. */
  hasNews(): boolean {
    const { raft, replica } = this;
    const { lastPosition, installs } = replica.records;
    const epoch = replica.recordsLeading?.epoch ?? 0;
    const seen = this.#seen;
    if (
      seen.lastPosition === lastPosition &&
      seen.installs === installs &&
      seen.epoch === epoch &&
      seen.leaderId === raft.leaderId
    )
      return false;
    this.#seen = { lastPosition, installs, epoch, leaderId: raft.leaderId };
    return true;
  }

  step(input: ProcessInput): readonly ProcessEffect[] {
    const wanted = input.type === "store" ? this.#wantedBy(input.input) : null;
    const asked = this.#stepReplica(input);
    const effects = asked.length === 0 ? [] : asked.map((effect) => this.#translate(effect));
    this.host.follow(this.replica.records);
    return wanted === null ? effects : [wanted, ...effects];
  }

  #wantedBy(input: StoreInput): ProcessEffect | null {
    switch (input.type) {
      case "appendRecord": {
        const { id, epoch, position, data } = input;
        const append = this.host.asks({ id, epoch, position, isHealing: false }, data);
        const isOpen = this.replica.recordsLeading?.epoch === epoch;
        return { type: "hostAppend", append, isOpen };
      }
      case "confirmLead": {
        const { id, epoch } = input;
        this.host.questioned(id, epoch);
        return { type: "hostAsks", question: { id, epoch, isHealing: false } };
      }
      case "hostSnapshot":
        this.host.offers(input.id, input.position, input.text);
        return null;
    }
  }

  #stepReplica(input: ProcessInput): readonly ReplicaEffect[] {
    switch (input.type) {
      case "tick":
      case "flush":
        return this.replica.step({ type: input.type, ms: input.ms, wallMs: input.ms });
      case "store":
        return this.replica.step(input.input);
      case "request":
        if (input.request.type === "read") this.#keysOfReads.set(input.id, input.request.key);
        return this.replica.step({
          type: "request",
          id: input.id,
          request: requestOf(input.request),
        });
      case "snapshotSaved":
        return this.#snapshotSaved(input.snapshot);
      case "snapshotFailed":
        return this.replica.step({ type: "snapshotFailed", snapshot: input.snapshot.meta });
      case "snapshotInstalled":
        return this.#snapshotInstalled(input.snapshot);
      case "hostTurn":
        return [];
      default:
        return this.replica.step(input);
    }
  }

  #snapshotSaved({ meta, bytes }: StoredSnapshot): readonly ReplicaEffect[] {
    const before = this.replica.records.base;
    const effects = this.replica.step({
      type: "snapshotSaved",
      snapshot: meta,
      bytes: bytes.length,
    });
    const { base } = this.replica.records;
    // One that another member sent may have overtaken it.
    if (base !== before || base === this.#saving.position) this.host.hasSaved(this.#saving);
    return effects;
  }

  #snapshotInstalled({ meta, bytes }: StoredSnapshot): readonly ReplicaEffect[] {
    const { state, records, saved } = storedOf(bytes);
    this.host.hasSaved(saved);
    const installed = { type: "snapshotInstalled", snapshot: meta, state, records } as const;
    return this.replica.step({ ...installed, bytes: bytes.length });
  }

  #translate(effect: ReplicaEffect): ProcessEffect {
    switch (effect.type) {
      case "answer": {
        const key = this.#keysOfReads.get(effect.id) ?? 0;
        this.#keysOfReads.delete(effect.id);
        return { type: "answer", id: effect.id, answer: answerOf(effect.answer, key) };
      }
      case "takeSnapshot":
        return this.#takeSnapshot(effect);
      case "notify":
        return { type: "notify" };
      case "appended":
        this.#answers.push(effect);
        return { type: "hostAppended", append: this.#appended(effect), answer: effect.answer };
      case "hostSnapshotDone": {
        const { id, refusal } = effect;
        this.host.offerEnded(id);
        this.#answers.push({ type: "snapshotDone", id, refusal });
        return { type: "hostSnapshotDone", refusal };
      }
      case "leadConfirmed": {
        const { id, leads } = effect;
        this.#answers.push({ type: "confirmed", id, leads });
        const epoch = this.host.answered(id);
        return { type: "hostAnswered", question: { id, epoch, isHealing: false }, leads };
      }
      default:
        return effect;
    }
  }

  #appended({ id, answer }: Extract<ReplicaEffect, { readonly type: "appended" }>): HostAppend {
    return this.host.appended(id, answer);
  }

  #takeSnapshot({
    snapshot: meta,
    state,
    records,
    hostId,
  }: Extract<ReplicaEffect, { readonly type: "takeSnapshot" }>): ProcessEffect {
    this.#saving = this.host.given(hostId);
    const bytes = joinMemberSnapshot(bytesOf(state), records, this.#saving);
    return { type: "takeSnapshot", snapshot: { meta, bytes }, fails: false };
  }
}

function storedOf(bytes: Uint8Array) {
  if (bytes.length === 0) return { state: emptyKv, records: noRecords, saved: noSavedState };
  const { tree, records, saved } = splitMemberSnapshot(bytes);
  return { state: stateOf(tree), records, saved };
}

function bytesOf(state: KvState): Uint8Array {
  return encode([...snapshotChunks(state)].join("\n"));
}

function stateOf(bytes: Uint8Array): KvState {
  if (bytes.length === 0) return emptyKv;
  const reader = new SnapshotReader();
  for (const chunk of decode(bytes).split("\n")) reader.push(chunk);
  return reader.finish();
}
