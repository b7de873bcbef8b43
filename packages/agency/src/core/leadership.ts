import { Batch, emptyKv, type KvState, ownTransaction, type Stamp } from "@halon/kv";
import { canPropose, type Entry, type Input, type RaftState, type Refusal } from "@halon/raft";
import { announcementOf } from "./announcement.ts";
import { finished, latePoll, refusedAnswer } from "./answers.ts";
import { Appends } from "./appends.ts";
import type { ReplicaEffect } from "./effect.ts";
import type { Handovers } from "./handover.ts";
import type { Clock, ReplicaInput } from "./input.ts";
import type { Decode } from "./log-view.ts";
import { Queue } from "./queue.ts";
import type { AgencyAnswer, AgencyRequest } from "./request.ts";
import {
  charsOf,
  type Gathered,
  type SequencedAnswer,
  sequenceTurn,
  type WriteRequest,
} from "./turn.ts";
import { commitTimeoutMs, type Finish, type Waiter, Waiting, waitKindOf } from "./waiting.ts";

/** What a leadership needs of its replica. */
export interface LeadershipPort {
  readonly raft: RaftState;
  readonly committed: KvState;
  readonly appliedIndex: number;
  /** Of the host's log. */
  readonly lastPosition: number;
  readonly clock: Clock;
  readonly handovers: Handovers;
  readonly agencySize: number;
  readonly decode: Decode;
  /** Raft's index of the entry, or why there is none. */
  propose(text: string): number | Refusal;
  /** The same for a slot of the host's log. */
  proposeRecord(data: Uint8Array): number | Refusal;
  /** The same for changes of members; 0 for a transfer that has begun. */
  ask(input: Extract<Input, { readonly type: "changeMembers" | "transfer" }>): number | Refusal;
  read(id: number): void;
  emit(effect: ReplicaEffect): void;
}

/** An entry that this leader sequenced and that is not applied yet. */
interface Pending {
  readonly index: number;
  readonly state: KvState;
  readonly effect: ReplicaEffect | null;
}

/** Under which epoch the host may append, and the last position that was committed before it. */
export interface RecordsLeading {
  readonly epoch: number;
  readonly position: number;
}

/** Characters of requests that wait to be sequenced. */
const gatheredCharsMax = 64 * 1024 * 1024;

/** One term of leading: the requests that came in it, what is sequenced, and who waits. */
export class Leadership {
  readonly term: number;
  readonly #port: LeadershipPort;
  readonly #sinceMs: number;
  readonly #waiting = new Waiting();
  readonly #pending = new Queue<Pending>();
  readonly #appends = new Appends();
  /** Reads that the host asked for to know whether it leads yet: the id of its question by that of the read. */
  readonly #confirms = new Map<number, number>();
  #recordsLeading: RecordsLeading | null = null;
  #gathered: Gathered[] = [];
  #gatheredChars = 0;
  #readCount: number;
  /** Null until an entry of this term is committed and applied: nothing is sequenced before. */
  #state: KvState | null = null;
  /** Raft's index of the newest entry that `#state` holds. */
  #lastIndex = 0;
  #logTimeBase = 0;
  #transient = emptyKv;
  #announced = "";
  #announcedOf: Pick<RaftState, "configuration" | "timeoutMult"> | null = null;

  /** Read ids go on after `readCount`, so that none comes twice. */
  constructor(port: LeadershipPort, readCount: number) {
    this.#port = port;
    this.#readCount = readCount;
    this.term = port.raft.currentTerm;
    this.#sinceMs = port.clock.ms;
  }

  get sequenced(): KvState | null {
    return this.#state;
  }

  get transient(): KvState {
    return this.#transient;
  }

  get readCount(): number {
    return this.#readCount;
  }

  /** Entries that were sequenced here and are not applied. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  get waitingCount(): number {
    return this.#waiting.count + this.#appends.count;
  }

  /** Null before it is open; the same object as long as it is. */
  get recordsLeading(): RecordsLeading | null {
    return this.#recordsLeading;
  }

  /** Null before it is open. */
  get logTime(): number | null {
    if (this.#state === null) return null;
    return this.#logTimeBase + Math.floor(this.#port.clock.ms - this.#sinceMs);
  }

  gather(id: number, request: AgencyRequest): void {
    const chars = charsOf(request);
    const isFull = this.#gatheredChars + chars > gatheredCharsMax && this.#gathered.length > 0;
    if (isFull || !this.#waiting.enter(waitKindOf(request))) {
      this.#answer(id, { type: "busy" });
      return;
    }
    this.#gatheredChars += chars;
    this.#gathered.push({ id, request, sinceMs: this.#port.clock.ms });
  }

  append(input: Extract<ReplicaInput, { readonly type: "appendRecord" }>): void {
    const { id, epoch, position, data } = input;
    const { next } = this.#appends;
    if (next === null || epoch !== this.term) {
      this.#port.emit({ type: "appended", id, answer: { type: "fenced", epoch: this.term } });
    } else if (position !== next) {
      this.#port.emit({ type: "appended", id, answer: { type: "conflict" } });
    } else {
      const index = this.#port.proposeRecord(data);
      if (typeof index === "number") this.#appends.proposed(id, index);
      else this.#port.emit({ type: "appended", id, answer: { type: "busy" } });
    }
  }

  /** Asks for a proof of leadership for the host; as many wait as raft takes reads. */
  confirm({ id, epoch }: Extract<ReplicaInput, { readonly type: "confirmLead" }>): void {
    if (epoch !== this.term) {
      this.#tellLeads(id, false);
      return;
    }
    this.#readCount += 1;
    this.#confirms.set(this.#readCount, id);
    this.#port.read(this.#readCount);
  }

  /** Begins to sequence, on the tree and after the records that were committed before. */
  open(): void {
    const { committed, appliedIndex, lastPosition } = this.#port;
    this.#recordsLeading = { epoch: this.term, position: lastPosition };
    this.#appends.open(lastPosition);
    this.#state = committed;
    this.#lastIndex = appliedIndex;
    this.#logTimeBase = committed.logTime;
    this.announce();
    this.sequence();
  }

  /** Makes `/.agency` say what is so now. */
  announce(): void {
    const { raft, agencySize } = this.#port;
    if (this.#state === null) return;
    const { configuration, timeoutMult } = raft;
    const last = this.#announcedOf;
    // Asked at each tick: nothing else of it changes in a term.
    if (configuration === last?.configuration && timeoutMult === last.timeoutMult) return;
    if (canPropose(raft) !== null) return;
    const operations = announcementOf(raft, agencySize);
    if (operations !== this.#announced && !this.#setAnnounced(operations, this.#state)) return;
    this.#announcedOf = { configuration, timeoutMult };
  }

  #setAnnounced(operations: string, state: KvState): boolean {
    const batch = new Batch(state, this.#stamp());
    batch.add(ownTransaction(operations));
    const entry = batch.entry();
    if (entry === null) throw new Error(`refused by the tree: ${operations}`);
    if (!this.#propose(entry, batch)) return false;
    this.#announced = operations;
    return true;
  }

  /** Sequences what was gathered, and asks for one proof of leadership for all that wrote nothing. */
  sequence(): void {
    if (this.#state === null || this.#gathered.length === 0) return;
    const gathered = this.#takeGathered();
    const unproven = this.#sequenceWrites(gathered.filter(isWrite), this.#state);
    for (const one of gathered) this.#sequenceOther(one, unproven);
    if (unproven.length === 0) return;
    this.#readCount += 1;
    this.#waiting.forRead(this.#readCount, unproven);
    this.#port.read(this.#readCount);
  }

  confirmed(readIds: readonly number[], index: number): void {
    this.#waiting.confirmed(readIds, index);
    this.#endConfirms(readIds, true);
  }

  /** Raft gave up these reads: it has too many, or leads no more. */
  readsFailed(readIds: readonly number[]): void {
    const answer = { type: this.#port.raft.role === "leader" ? "busy" : "lostLeadership" } as const;
    for (const { id } of this.#waiting.takeReads(readIds)) this.#answer(id, answer);
    this.#endConfirms(readIds, false);
  }

  /** The state after this entry, when this leader sequenced it. */
  takeSequenced(entry: Entry): KvState | null {
    if (this.#pending.peek()?.index !== entry.index) return null;
    const pending = this.#pending.shift();
    if (pending === undefined || entry.term !== this.term) {
      throw new Error(`entry ${entry.index} of term ${entry.term} is not the one sequenced`);
    }
    if (pending.effect !== null) this.#port.emit(pending.effect);
    return pending.state;
  }

  /** Answers those who waited for what is applied now. */
  applied(): void {
    const { appliedIndex, committed } = this.#port;
    for (const id of this.#appends.takeApplied(appliedIndex)) {
      this.#port.emit({ type: "appended", id, answer: { type: "committed" } });
    }
    for (const waiter of this.#waiting.takeApplied(appliedIndex)) this.#finish(waiter);
    for (const poll of this.#waiting.takePolls(committed.index)) this.#finish(poll);
  }

  tick(lastCommitMs: number): void {
    const { ms } = this.#port.clock;
    for (const { id } of this.#waiting.takeLate(ms, lastCommitMs)) {
      this.#answer(id, { type: "notCommitted" });
    }
    for (const { id, finish } of this.#waiting.takeLatePolls(ms)) {
      if (finish.type === "poll") this.#answer(id, latePoll(finish.index, this.#port.committed));
    }
    const isLate = ({ sinceMs }: Gathered): boolean => sinceMs + commitTimeoutMs <= ms;
    for (const gathered of this.#gathered.filter(isLate))
      this.#refuse(gathered, { type: "noLeader" });
    this.#gathered = this.#gathered.filter((gathered) => !isLate(gathered));
    this.announce();
  }

  /** Everything is answered: the fate of what was begun is not known, the rest is `elsewhere`'s to answer. */
  end(elsewhere: AgencyAnswer): void {
    this.#endConfirms([...this.#confirms.keys()], false);
    for (const id of this.#appends.takeAll()) {
      this.#port.emit({ type: "appended", id, answer: { type: "lostLeadership" } });
    }
    for (const { id } of this.#waiting.takeAll()) this.#answer(id, { type: "lostLeadership" });
    for (const gathered of this.#takeGathered()) this.#refuse(gathered, elsewhere);
  }

  #endConfirms(readIds: readonly number[], leads: boolean): void {
    for (const readId of readIds) {
      const id = this.#confirms.get(readId);
      this.#confirms.delete(readId);
      if (id !== undefined) this.#tellLeads(id, leads);
    }
  }

  #tellLeads(id: number, leads: boolean): void {
    this.#port.emit({ type: "leadConfirmed", id, leads });
  }

  #takeGathered(): readonly Gathered[] {
    const gathered = this.#gathered;
    this.#gathered = [];
    this.#gatheredChars = 0;
    return gathered;
  }

  /** Gives those whose answers still need a proof of leadership, as they wrote nothing. */
  #sequenceWrites(writes: readonly Gathered<WriteRequest>[], state: KvState): Waiter[] {
    const unproven: Waiter[] = [];
    const isRefusedNow = canPropose(this.#port.raft) !== null;
    if (isRefusedNow) for (const one of writes) this.#refuse(one, { type: "busy" });
    if (isRefusedNow || writes.length === 0) return unproven;
    let isRefused = false;
    for (const slice of sequenceTurn(writes, state, this.#stamp())) {
      // Later slices stand on this one, so they are refused with it.
      isRefused ||= slice.entry !== null && !this.#propose(slice.entry, slice);
      for (const answer of slice.answers) {
        if (isRefused || answer.at === "sequenced") {
          this.#waiting.leave("write");
          this.#answer(answer.id, isRefused ? { type: "busy" } : answer.answer);
        } else if (slice.entry === null) unproven.push(waiterOf(answer, this.#lastIndex));
        else this.#waiting.forCommit(waiterOf(answer, this.#lastIndex));
      }
    }
    return unproven;
  }

  #sequenceOther({ id, sinceMs, request }: Gathered, unproven: Waiter[]): void {
    const kind = waitKindOf(request);
    const wait = (finish: Finish, index = 0): void => {
      unproven.push({ id, kind, sinceMs, index, finish });
    };
    switch (request.type) {
      case "write":
      case "transact":
        return;
      case "read":
        wait({ type: "read", transactions: request.transactions });
        return;
      case "inquire":
        if (request.wait) wait({ type: "inquire", ids: request.ids }, this.#lastIndex);
        else wait({ type: "inquireNow", ids: request.ids });
        return;
      case "poll":
        wait({ type: "poll", index: request.index, untilMs: sinceMs + request.timeoutMs });
        return;
      case "transient": {
        const batch = new Batch(this.#transient, this.#stamp());
        const { status, text } = batch.transient(request.items);
        this.#transient = batch.state;
        wait({ type: "answer", answer: { type: "json", status, text } });
        return;
      }
      case "changeMembers":
      case "transferLeader":
        this.#waiting.leave(kind);
        this.#handOver(id, sinceMs, request);
    }
  }

  #handOver(
    id: number,
    sinceMs: number,
    request: Extract<AgencyRequest, { readonly type: "changeMembers" | "transferLeader" }>,
  ): void {
    const { handovers } = this.#port;
    if (request.type === "changeMembers") {
      const outcome = this.#port.ask({ type: "changeMembers", change: request.change });
      if (typeof outcome === "number") handovers.forChange(id, sinceMs, outcome);
      else this.#answer(id, refusedAnswer(outcome));
      return;
    }
    const outcome = this.#port.ask({ type: "transfer", to: request.to });
    if (typeof outcome === "number") handovers.forLeader(id, sinceMs, request.to, this.term);
    else this.#answer(id, refusedAnswer(outcome));
  }

  #propose(text: string, of: Pick<Batch, "state" | "notifications">): boolean {
    const index = this.#port.propose(text);
    if (typeof index !== "number") return false;
    const { state, notifications } = of;
    const { term } = this;
    const effect =
      notifications.length === 0 ? null : ({ type: "notify", term, notifications } as const);
    this.#pending.push({ index, state, effect });
    this.#state = state;
    this.#lastIndex = index;
    return true;
  }

  #finish(waiter: Waiter): void {
    const { raft, committed, appliedIndex, decode } = this.#port;
    const answer = finished(waiter.finish, {
      log: raft.log,
      appliedIndex,
      committed,
      sequenced: this.#state ?? committed,
      logTime: this.logTime ?? committed.logTime,
      decode,
    });
    if (answer === null) this.#waiting.forMore(waiter);
    else this.#answer(waiter.id, answer);
  }

  #stamp(): Stamp {
    return { logTime: this.logTime ?? 0, wallTime: this.#port.clock.wallMs };
  }

  #refuse({ id, request }: Gathered, answer: AgencyAnswer): void {
    this.#waiting.leave(waitKindOf(request));
    this.#answer(id, answer);
  }

  #answer(id: number, answer: AgencyAnswer): void {
    this.#port.emit({ type: "answer", id, answer });
  }
}

function isWrite(gathered: Gathered): gathered is Gathered<WriteRequest> {
  return gathered.request.type === "write" || gathered.request.type === "transact";
}

function waiterOf({ id, sinceMs, answer }: SequencedAnswer, index: number): Waiter {
  return { id, kind: "write", sinceMs, index, finish: { type: "answer", answer } };
}
