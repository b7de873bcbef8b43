import { emptyKv, type KvState } from "@halon/kv";
import {
  type Configuration,
  configurationAt,
  type Effect,
  entriesOf,
  entryKind,
  type Input,
  init,
  type RaftState,
  type Refusal,
  step,
  termAt,
} from "@halon/raft";
import { Applied, type Base } from "./applied.ts";
import { isSending } from "./compaction.ts";
import type { ReplicaEffect } from "./effect.ts";
import { type Due, Handovers } from "./handover.ts";
import { HostSnapshots } from "./host-snapshots.ts";
import type { Clock, ReplicaInput } from "./input.ts";
import { Leadership, type LeadershipPort, type RecordsLeading } from "./leadership.ts";
import { type HostRecords, recordOf } from "./records.ts";
import type { ReplicaOptions, ReplicaStart } from "./replica-options.ts";
import type { AgencyAnswer } from "./request.ts";

/** Entries read at one input, so that a turn stays short; what a leader sequenced itself is not read. */
const applyBytesMax = 1024 * 1024;
/** What the adding of a record to the others costs, as against the reading of so many bytes of a command. */
const recordCostBytes = 64;
/** Kind of a command, as the character that encodes to that byte. */
const commandPrefix = String.fromCharCode(entryKind.command);

/**
 * Joins consensus and the tree: sequences requests, applies what is committed, answers what waits (RFC 0005).
 *
 * A state of one owner, changed in place: equal histories of inputs give equal effects. No clock, no randomness.
 */
export class Replica {
  readonly #options: ReplicaOptions;
  readonly #port: LeadershipPort;
  readonly #handovers = new Handovers();
  readonly #applied: Applied;
  #out: ReplicaEffect[] = [];
  #raft: RaftState;
  #clock: Clock = { ms: 0, wallMs: 0 };
  #lastCommitMs = 0;
  #leadership: Leadership | null = null;
  #readCount = 0;
  #outcome: number | Refusal = 0;
  readonly #hostSnapshots: HostSnapshots;
  #isInstalling = false;
  #isApplyAsked = false;
  /** What is persisted and answered now must not wait for what is applied. */
  #isFollowing = false;

  constructor(options: ReplicaOptions, start: ReplicaStart) {
    this.#options = options;
    const { id, raft, seed } = options;
    const { found, configuration, state, records, snapshotBytes: bytes } = start;
    this.#raft = init({ id, options: raft, seed, found, configuration });
    this.#applied = new Applied(options, this.#raft.log, { state, records, bytes });
    this.#hostSnapshots = new HostSnapshots(this.#applied.records, (effect) =>
      this.#out.push(effect),
    );
    this.#port = this.#portOf();
  }

  get raft(): RaftState {
    return this.#raft;
  }

  /** Index of raft up to which `committed` holds all entries. */
  get appliedIndex(): number {
    return this.#applied.index;
  }

  /** The configuration as of `appliedIndex`. */
  get configuration(): Configuration {
    return configurationAt(this.#raft, this.#applied.index);
  }

  get committed(): KvState {
    return this.#applied.state;
  }

  /** With what is not committed yet; null unless this is a leader that sequences. */
  get sequenced(): KvState | null {
    return this.#leadership?.sequenced ?? null;
  }

  get transient(): KvState {
    return this.#leadership?.transient ?? emptyKv;
  }

  /** Log time now, ms; of a member that does not lead, that of its newest entry. */
  get logTime(): number {
    return this.#leadership?.logTime ?? this.committed.logTime;
  }

  /** Index of the last transaction that a snapshot on disk holds. */
  get snapshotAt(): number {
    return this.#applied.snapshotAt;
  }

  /** The host's log, to be read. */
  get records(): Pick<HostRecords, "base" | "installs" | "lastPosition" | "read"> {
    return this.#applied.records;
  }

  /** Null unless the host may append here. */
  get recordsLeading(): RecordsLeading | null {
    return this.#leadership?.recordsLeading ?? null;
  }

  /** Trees from which older ones can be made again, older first. */
  get bases(): readonly Base[] {
    return this.#applied.bases;
  }

  /** Entries that this leader sequenced and that are not committed and applied yet. */
  get pendingCount(): number {
    return this.#leadership?.pendingCount ?? 0;
  }

  /** Requests that wait for an answer. */
  get waitingCount(): number {
    return (this.#leadership?.waitingCount ?? 0) + this.#handovers.count;
  }

  step(input: ReplicaInput): readonly ReplicaEffect[] {
    this.#out = [];
    this.#isFollowing = input.type === "receive" && this.#leadership === null;
    this.#take(input);
    this.#settle();
    return this.#out;
  }

  /** Answers everything that waits, because the driver ends. */
  close(): readonly ReplicaEffect[] {
    this.#out = [];
    this.#lose();
    this.#answerDue(this.#handovers.all());
    return this.#out;
  }

  #take(input: ReplicaInput): void {
    switch (input.type) {
      case "tick":
        this.#clock = { ms: input.ms, wallMs: input.wallMs };
        this.#raftStep({ type: "tick" });
        this.#leadership?.tick(this.#lastCommitMs);
        this.#answerDue(this.#handovers.late(input.ms));
        return;
      case "request":
        if (this.#leadership === null) this.#answer(input.id, this.#elsewhere());
        else this.#leadership.gather(input.id, input.request);
        return;
      case "appendRecord":
        if (this.#leadership === null) this.#fence(input.id);
        else this.#leadership.append(input);
        return;
      case "confirmLead":
        if (this.#leadership === null) this.#tellLeadsNot(input.id);
        else this.#leadership.confirm(input);
        return;
      case "hostSnapshot":
        this.#hostSnapshots.ask(input, this.#isInstalling);
        return;
      case "campaign":
        this.#campaign();
        return;
      case "flush":
        this.#clock = { ms: input.ms, wallMs: input.wallMs };
        this.#leadership?.sequence();
        return;
      case "apply":
        this.#isApplyAsked = false;
        return;
      case "snapshotSaved":
        this.#compact(input);
        return;
      case "snapshotFailed":
        this.#applied.notSaved();
        this.#hostSnapshots.ended("failed");
        return;
      case "snapshotInstalled":
        this.#install(input);
        return;
      case "receive":
      case "persisted":
      case "peerLost":
      case "stepDown":
      case "load":
        this.#raftStep(input);
    }
  }

  #raftStep(input: Input): void {
    const [next, effects] = step(this.#raft, input);
    this.#raft = next;
    for (const effect of effects) this.#takeEffect(effect);
  }

  #takeEffect(effect: Effect): void {
    switch (effect.type) {
      case "installSnapshot":
        this.#isInstalling = true;
        this.#hostSnapshots.installing();
        this.#out.push(effect);
        return;
      case "send":
      case "persist":
      case "sendSnapshot":
      case "receiveSnapshot":
      case "removed":
        this.#out.push(effect);
        return;
      case "commit":
        this.#lastCommitMs = this.#clock.ms;
        return;
      case "proposed":
        this.#outcome = effect.index;
        return;
      case "refused":
        this.#outcome = effect.reason;
        return;
      case "readReady":
        this.#leadership?.confirmed(effect.ids, effect.index);
        return;
      case "readFailed":
        this.#leadership?.readsFailed(effect.ids);
    }
  }

  /** What follows from the new state of consensus: apply, answer, begin or end to lead. */
  #settle(): void {
    const { role, currentTerm, log, commitIndex } = this.#raft;
    const before = this.#leadership;
    if (before !== null && (role !== "leader" || currentTerm !== before.term)) {
      // A committed entry of this leader's term proves that all it holds before is committed too (§5.3); else
      // other entries may stand where its own were, and nothing may be answered from them.
      if (termAt(log, commitIndex) === before.term) this.#advance();
      this.#lose();
    }
    this.#advance();
    if (role === "leader") {
      this.#leadership ??= new Leadership(this.#port, this.#readCount);
      const isReady =
        this.#leadership.sequenced === null &&
        this.#applied.index === commitIndex &&
        termAt(log, commitIndex) === currentTerm;
      if (isReady) this.#leadership.open();
    }
    this.#answerDue(this.#handovers.transfersDue(this.#raft));
    this.#snapshotIfDue();
  }

  /** Applies what is committed and answers those who waited for it. */
  #advance(): void {
    if (!this.#isInstalling) this.#apply();
    this.#leadership?.applied();
  }

  #apply(): void {
    const { log, commitIndex } = this.#raft;
    let bytes = 0;
    const bytesMax = this.#isFollowing ? 0 : applyBytesMax;
    while (this.#applied.index < commitIndex && bytes < bytesMax) {
      const next = this.#applied.index + 1;
      const [entry] = entriesOf(log, next, next);
      if (entry === undefined) throw new Error(`entry ${next} is not held`);
      const sequenced = this.#leadership?.takeSequenced(entry) ?? null;
      this.#applied.add(entry, sequenced);
      const isRecord = entry.data[0] === entryKind.record;
      if (sequenced === null) bytes += isRecord ? recordCostBytes : entry.data.length;
      if (entry.data[0] === entryKind.configuration) {
        this.#answerDue(this.#handovers.configured(this.configuration, entry.index));
      }
    }
    if (this.#applied.index < commitIndex && !this.#isApplyAsked) {
      this.#isApplyAsked = true;
      this.#out.push({ type: "applyMore" });
    }
  }

  #lose(): void {
    const leadership = this.#leadership;
    if (leadership === null) return;
    this.#leadership = null;
    this.#readCount = leadership.readCount;
    leadership.end(this.#elsewhere());
    this.#answerDue(this.#handovers.lost());
  }

  #snapshotIfDue(): void {
    const { compactionStep: transactions, compactionBytesMin: bytesMin = 0 } = this.#options;
    if (this.#isInstalling || this.#applied.isSaving) return;
    const isDue =
      this.#hostSnapshots.isWaiting ||
      this.#applied.isSnapshotDue({ transactions, bytesMin }, isSending(this.#raft));
    if (!isDue) return;
    const { configuration } = this;
    // One that was added later knows nobody before it has the entry that added it; no snapshot may say so.
    if (configuration.members.length === 0) return;
    const { index, state, records: all } = this.#applied;
    const term = termAt(this.#raft.log, index);
    if (term === null) throw new Error(`the term of entry ${index} is not known`);
    const snapshot = { index, term, configuration };
    const { hostId, base } = this.#hostSnapshots.begin();
    const records = all.since(base);
    this.#applied.saving(snapshot, base);
    this.#out.push({ type: "takeSnapshot", snapshot, state, records, hostId });
  }

  #compact({ snapshot, bytes }: Extract<ReplicaInput, { readonly type: "snapshotSaved" }>): void {
    const firstIndex = this.#applied.saved(this.#raft.log, snapshot, bytes);
    this.#hostSnapshots.ended(firstIndex === null ? "installing" : null);
    if (firstIndex === null) return;
    this.#raftStep({ type: "compacted", snapshot, firstIndex });
    this.#out.push({ type: "compactLog", firstIndex });
  }

  #install(input: Extract<ReplicaInput, { readonly type: "snapshotInstalled" }>): void {
    this.#isInstalling = false;
    this.#raftStep({ type: "snapshotInstalled", index: input.snapshot.index });
    // What was applied meanwhile is newer, and was applied on the same entries.
    if (this.#applied.index < input.snapshot.index) this.#applied.install(this.#raft.log, input);
  }

  #fence(id: number): void {
    const { currentTerm: epoch } = this.#raft;
    this.#out.push({ type: "appended", id, answer: { type: "fenced", epoch } });
  }

  #tellLeadsNot(id: number): void {
    this.#out.push({ type: "leadConfirmed", id, leads: false });
  }

  /** As if another leader had handed over to this member, which has all that it has itself. */
  #campaign(): void {
    const { id, role, currentTerm: term } = this.#raft;
    if (role !== "leader") return;
    this.#raftStep({ type: "stepDown" });
    this.#raftStep({ type: "receive", message: { type: "timeoutNow", from: id, to: id, term } });
  }

  #elsewhere(): AgencyAnswer {
    const { leaderId, id } = this.#raft;
    if (leaderId === null || leaderId === id) return { type: "noLeader" };
    return { type: "notLeader", leaderId };
  }

  #answer(id: number, answer: AgencyAnswer): void {
    this.#out.push({ type: "answer", id, answer });
  }

  #answerDue(due: readonly Due[]): void {
    for (const { id, answer } of due) this.#answer(id, answer);
  }

  #portOf(): LeadershipPort {
    const replica = this;
    const ask = (input: Input): number | Refusal => {
      this.#outcome = 0;
      this.#raftStep(input);
      return this.#outcome;
    };
    return {
      get raft() {
        return replica.#raft;
      },
      get committed() {
        return replica.committed;
      },
      get appliedIndex() {
        return replica.appliedIndex;
      },
      get lastPosition() {
        return replica.#applied.records.lastPosition;
      },
      get clock() {
        return replica.#clock;
      },
      handovers: this.#handovers,
      agencySize: this.#options.agencySize,
      decode: this.#options.decode,
      propose: (text) => ask({ type: "propose", data: this.#options.encode(commandPrefix + text) }),
      proposeRecord: (data) => ask({ type: "propose", data: recordOf(data) }),
      ask,
      read: (id) => this.#raftStep({ type: "read", id }),
      emit: (effect) => this.#out.push(effect),
    };
  }
}
