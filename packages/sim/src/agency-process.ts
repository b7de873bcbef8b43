import { noRecords, Replica, type ReplicaEffect } from "@halon/agency/core";
import { emptyKv, type KvState, SnapshotReader, snapshotChunks } from "@halon/kv";
import type { RaftState } from "@halon/raft";
import { answerOf, requestOf } from "./agency-requests.ts";
import type { StoredSnapshot } from "./disk.ts";
import { SimHost } from "./host.ts";
import {
  canonicalBytes,
  type HostState,
  joinSnapshot,
  type MemberSnapshot,
  noHostState,
  splitSnapshot,
} from "./host-snapshot.ts";
import type { Process, ProcessEffect, ProcessInput, ProcessStart } from "./process.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const encode = (text: string): Uint8Array => encoder.encode(text);
const decode = (bytes: Uint8Array): string => decoder.decode(bytes);

/** The agency's replica, as a member runs it, and its host. Registers are keys below `/r`. */
export class AgencyProcess implements Process {
  readonly host: SimHost | null;
  private readonly replica: Replica;
  private readonly keysOfReads = new Map<number, number>();
  /** What the snapshot that is being saved holds of the host. */
  private saving: HostState = noHostState;
  private wanted: ProcessEffect[] = [];

  constructor(start: ProcessStart) {
    const { found, snapshotBytes, hosts } = start;
    const stored = storedOf(snapshotBytes, hosts !== null);
    const keepBytes = hosts === null ? {} : { compactionKeepBytes: hosts.keepBytes };
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
        ...keepBytes,
      },
      {
        found,
        configuration: start.configuration,
        state: stateOf(stored.tree),
        records: stored.records,
        snapshotBytes: snapshotBytes.length,
      },
    );
    this.host = hosts === null ? null : new SimHost(hosts, start.seed, stored.host);
    this.host?.follow(this.replica.records);
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
    const tree = bytesOf(this.replica.committed);
    const { host } = this;
    return host === null ? tree : canonicalBytes({ tree, records: noRecords, host });
  }

  step(input: ProcessInput): readonly ProcessEffect[] {
    this.wanted = [];
    const effects = this.stepReplica(input).map((effect) => this.translate(effect));
    this.host?.follow(this.replica.records);
    return this.wanted.length === 0 ? effects : [...this.wanted, ...effects];
  }

  private stepReplica(input: ProcessInput): readonly ReplicaEffect[] {
    switch (input.type) {
      case "tick":
      case "flush":
        return this.replica.step({ type: input.type, ms: input.ms, wallMs: input.ms });
      case "request":
        if (input.request.type === "read") this.keysOfReads.set(input.id, input.request.key);
        return this.replica.step({
          type: "request",
          id: input.id,
          request: requestOf(input.request),
        });
      case "hostTurn":
        return this.hostTurn(input);
      case "store":
        return [];
      case "campaign":
        this.host?.crash(this.replica.records, this.raft.currentTerm);
        return this.replica.step(input);
      case "snapshotSaved":
        return this.snapshotSaved(input.snapshot);
      case "snapshotFailed":
        return this.replica.step({ type: "snapshotFailed", snapshot: input.snapshot.meta });
      case "snapshotInstalled":
        return this.snapshotInstalled(input.snapshot);
      default:
        return this.replica.step(input);
    }
  }

  private hostTurn(input: ProcessInput & { readonly type: "hostTurn" }): readonly ReplicaEffect[] {
    if (this.host === null) return [];
    const { records, recordsLeading } = this.replica;
    const { nonce, isHealing } = input;
    const term = this.raft.currentTerm;
    const turn = this.host.turn(records, recordsLeading, { nonce, isHealing, term });
    const { inputs, appends, question } = turn;
    for (const append of appends) {
      const isOpen = recordsLeading?.epoch === append.epoch;
      this.wanted.push({ type: "hostAppend", append, isOpen });
    }
    if (question !== null) this.wanted.push({ type: "hostAsks", question });
    return inputs.flatMap((each) => this.replica.step(each));
  }

  private snapshotSaved({ meta, bytes }: StoredSnapshot): readonly ReplicaEffect[] {
    const before = this.replica.records.base;
    const effects = this.replica.step({
      type: "snapshotSaved",
      snapshot: meta,
      bytes: bytes.length,
    });
    const { base } = this.replica.records;
    // One that another member sent may have overtaken it.
    if (base !== before || base === this.saving.position) this.host?.hasSaved(this.saving);
    return effects;
  }

  private snapshotInstalled({ meta, bytes }: StoredSnapshot): readonly ReplicaEffect[] {
    const { tree, records, host } = storedOf(bytes, this.host !== null);
    this.host?.hasSaved(host);
    return this.replica.step({
      type: "snapshotInstalled",
      snapshot: meta,
      state: stateOf(tree),
      records,
      bytes: bytes.length,
    });
  }

  private translate(effect: ReplicaEffect): ProcessEffect {
    switch (effect.type) {
      case "answer": {
        const key = this.keysOfReads.get(effect.id) ?? 0;
        this.keysOfReads.delete(effect.id);
        return { type: "answer", id: effect.id, answer: answerOf(effect.answer, key) };
      }
      case "takeSnapshot":
        return this.takeSnapshot(effect);
      case "notify":
        return { type: "notify" };
      case "appended": {
        const append = hostOf(this.host).appended(effect.id, effect.answer);
        return { type: "hostAppended", append, answer: effect.answer };
      }
      case "hostSnapshotDone":
        hostOf(this.host).snapshotDone(effect.id, effect.refusal);
        return { type: "hostSnapshotDone", refusal: effect.refusal };
      case "leadConfirmed":
        return {
          type: "hostAnswered",
          question: hostOf(this.host).questions.answered(effect.id, effect.leads),
          leads: effect.leads,
        };
      default:
        return effect;
    }
  }

  private takeSnapshot({
    snapshot: meta,
    state,
    records,
    hostId,
  }: Extract<ReplicaEffect, { readonly type: "takeSnapshot" }>): ProcessEffect {
    const tree = bytesOf(state);
    if (this.host === null)
      return { type: "takeSnapshot", snapshot: { meta, bytes: tree }, fails: false };
    const { host, fails } = this.host.given(hostId, records);
    this.saving = host;
    const bytes = joinSnapshot({ tree, records, host });
    return { type: "takeSnapshot", snapshot: { meta, bytes }, fails };
  }
}

function hostOf(host: SimHost | null): SimHost {
  if (host === null) throw new Error("no host was there to ask");
  return host;
}

function storedOf(bytes: Uint8Array, hasHost: boolean): MemberSnapshot {
  if (hasHost && bytes.length > 0) return splitSnapshot(bytes);
  return { tree: bytes, records: noRecords, host: noHostState };
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
