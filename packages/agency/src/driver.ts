import { emptyKv, notificationText } from "@halon/kv";
import { HalonError } from "@halon/protocol";
import { type Configuration, decodeMessage, encodeMessage, type Message } from "@halon/raft";
import type { AppendAnswer } from "./core/appends.ts";
import type { ReplicaEffect } from "./core/effect.ts";
import type { ReplicaInput } from "./core/input.ts";
import { loadAfterTick, noLoad, ticksDue } from "./core/load.ts";
import { noRecords } from "./core/records.ts";
import { Replica } from "./core/replica.ts";
import type { AgencyAnswer, AgencyRequest } from "./core/request.ts";
import type { DriverOptions } from "./driver-options.ts";
import { diskRefused } from "./errors.ts";
import type { Log } from "./log.ts";
import { tellObserver } from "./observer-call.ts";
import { Questions } from "./questions.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import { readSnapshotBytes } from "./snapshot-state.ts";
import { SnapshotWriter } from "./snapshot-writer.ts";

/** Milliseconds of one tick of raft. */
export const tickMs = 15;

/**
 * How long a sync may hold the thread. A leader of many clients has requests to parse meanwhile; whoever has none has
 * nothing to do but to wait for it, and each journey through the thread pool costs two switches of threads.
 */
const busyHoldMs = 0.5;
const idleHoldMs = 8;
/** Requests that make a leader busy. */
const busyCount = 8;

/**
 * Writes that come while an entry is on its way wait for it and share the next one, as each entry costs all members a
 * sync and a journey; but not for one that was begun longer ago than this.
 */
const gatherMs = 4;

type Effect<Type extends ReplicaEffect["type"]> = Extract<ReplicaEffect, { readonly type: Type }>;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const encode = (text: string): Uint8Array => encoder.encode(text);
const decode = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Loads what the log holds and runs it. Errors: HAL_STORE_DAMAGED, HAL_STORE_FAILED. */
export async function startDriver(log: Log, options: DriverOptions): Promise<Driver> {
  const stored = log.loadSnapshot();
  const { where, founders, id, raft, agencySize } = options;
  const { compactionStep, compactionKeep, compactionBytesMin } = options;
  const loaded = stored === undefined ? null : await readSnapshotBytes(stored.chunks, where);
  const configuration = loaded?.head.configuration ?? founders;
  const point = log.snapshot ?? { index: 0, term: 0 };
  const snapshot = { ...point, configuration };
  const entries = log.read(log.firstIndex);
  const seed = Math.floor(Math.random() * 0x1_0000_0000);
  const replica = new Replica(
    {
      ...{ id, raft, seed, encode, decode, agencySize },
      ...{ compactionStep, compactionKeep, compactionBytesMin },
    },
    {
      found: { hardState: log.hardState, snapshot, entries },
      configuration,
      state: loaded?.state ?? emptyKv,
      records: loaded?.records ?? noRecords,
      snapshotBytes: loaded?.bytes ?? 0,
    },
  );
  return new Driver(replica, log, options);
}

/** Gives a replica its time, messages and requests, and carries out its effects. */
export class Driver {
  readonly replica: Replica;
  readonly #log: Log;
  readonly #options: DriverOptions;
  readonly #answers = new Questions<AgencyAnswer>();
  readonly #appends = new Questions<AppendAnswer>();
  readonly #confirms = new Questions<boolean>();
  readonly #sender: SnapshotSender;
  readonly #writer: SnapshotWriter;
  readonly #timer: NodeJS.Timeout;
  #requestCount = 0;
  #isFlushAsked = false;
  /** Writes wait for an entry that is on its way, so that they share the next one. */
  #isHolding = false;
  #flushedAt = 0;
  #load = noLoad;
  #tickedAt = performance.now();
  #configuration: Configuration | null = null;
  /** What a disk operation that must not overlap waits for; null while there is none. */
  #installing: Promise<void> | null = null;
  #saving: Promise<void> = Promise.resolve();
  /** Inputs that came while effects of another were carried out. */
  #inputs: ReplicaInput[] = [];
  #isGiving = false;
  #isEnded = false;

  constructor(replica: Replica, log: Log, options: DriverOptions) {
    this.replica = replica;
    this.#log = log;
    this.#options = options;
    this.#sender = new SnapshotSender(log);
    this.#writer = new SnapshotWriter(log, options.cluster);
    this.#timer = setInterval(() => this.#onTimer(), tickMs);
    this.#seeConfiguration();
  }

  request(request: AgencyRequest): Promise<AgencyAnswer> {
    if (this.#isEnded) return Promise.resolve({ type: "noLeader" });
    this.#requestCount += 1;
    const id = this.#requestCount;
    const answer = this.#answers.ask(id);
    this.#give({ type: "request", id, request });
    if (request.type === "write" && this.#isEntryOnItsWay()) this.#isHolding = true;
    else this.#flushLater();
    return answer;
  }

  /** The end of the promise is in the same turn as the commit. */
  append(
    data: Uint8Array,
    { position, epoch }: { readonly position: number; readonly epoch: number },
  ): Promise<AppendAnswer> {
    if (this.#isEnded) return Promise.resolve({ type: "fenced", epoch: 0 });
    this.#requestCount += 1;
    const id = this.#requestCount;
    const answer = this.#appends.ask(id);
    this.#give({ type: "appendRecord", id, epoch, position, data });
    return answer;
  }

  /** Whether it leads in the term `epoch`, as a majority confirms after the call. */
  confirm(epoch: number): Promise<boolean> {
    if (this.#isEnded) return Promise.resolve(false);
    this.#requestCount += 1;
    const id = this.#requestCount;
    const answer = this.#confirms.ask(id);
    this.#give({ type: "confirmLead", id, epoch });
    return answer;
  }

  /** A snapshot of the member with the host's state as of `position`. Errors: HAL_STORE_FAILED. */
  saveHostState(position: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    this.#requestCount += 1;
    const id = this.#requestCount;
    const saved = this.#writer.ask(id, chunks);
    this.#give({ type: "hostSnapshot", id, position });
    return saved;
  }

  campaign(): void {
    this.#give({ type: "campaign" });
  }

  receive(from: string, bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    // Nobody speaks for another, and not to another.
    if (message === null || message.from !== from || message.to !== this.#options.id) return;
    this.#give({ type: "receive", message });
  }

  lost(peer: string): void {
    this.#give({ type: "peerLost", peer });
  }

  /** Answers all that waits and stops; the log is the caller's to close. */
  end(): void {
    if (this.#isEnded) return;
    this.#give({ type: "stepDown" });
    this.#isEnded = true;
    clearInterval(this.#timer);
    for (const effect of this.replica.close()) this.#perform(effect);
    this.#answers.answerAll({ type: "lostLeadership" });
    this.#appends.answerAll({ type: "lostLeadership" });
    this.#confirms.answerAll(false);
    this.#writer.end();
    this.#sender.close();
  }

  /** Resolves when no snapshot is being written any more; after `end` that is soon. */
  async idle(): Promise<void> {
    await this.#saving;
    await this.#installing;
  }

  #isEntryOnItsWay(): boolean {
    return this.replica.pendingCount > 0 && performance.now() - this.#flushedAt < gatherMs;
  }

  #flushLater(): void {
    if (this.#isFlushAsked) return;
    this.#isFlushAsked = true;
    setImmediate(this.#onFlush);
  }

  readonly #onFlush = (): void => {
    this.#isFlushAsked = false;
    this.#isHolding = false;
    this.#flushedAt = performance.now();
    this.#give({ type: "flush", ms: this.#flushedAt, wallMs: Date.now() });
  };

  #onTimer(): void {
    if (this.#isHolding) this.#flushLater();
    const ms = performance.now();
    const elapsedMs = ms - this.#tickedAt;
    const { electionTicksMin } = this.#options.raft;
    const count = ticksDue(elapsedMs, tickMs, electionTicksMin);
    if (count === 0) return;
    const isPause = elapsedMs >= (electionTicksMin * tickMs) / 2;
    // What is left of a tick counts for the next; of a pause, nothing.
    this.#tickedAt = isPause ? ms : this.#tickedAt + count * tickMs;
    this.#look(elapsedMs - tickMs);
    if (!isPause) {
      this.#tick(count, ms);
      return;
    }
    // What came in meanwhile is still in the sockets: it must be read before anybody campaigns or answers. The
    // event loop reads them between this timer and the second of two immediates.
    setImmediate(() => setImmediate(() => this.#tick(count, performance.now())));
  }

  #tick(count: number, ms: number): void {
    const wallMs = Date.now();
    for (let given = 0; given < count; given++) this.#give({ type: "tick", ms, wallMs });
  }

  #look(lateMs: number): void {
    const { electionTicksMin } = this.#options.raft;
    const before = this.#load.timeoutMult;
    this.#load = loadAfterTick(this.#load, lateMs, electionTicksMin * tickMs);
    const { timeoutMult } = this.#load;
    if (timeoutMult !== before) this.#give({ type: "load", timeoutMult });
  }

  /** One input after the other: effects of an earlier one are begun before those of a later one. */
  #give(input: ReplicaInput): void {
    if (this.#isEnded) return;
    this.#inputs.push(input);
    if (this.#isGiving) return;
    this.#isGiving = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      for (const effect of this.replica.step(next)) this.#perform(effect);
      this.#seeConfiguration();
      this.#options.onStep();
      if (this.#isEnded) this.#inputs = [];
    }
    this.#isGiving = false;
    this.#options.peers.flush();
    if (this.#isHolding && this.replica.pendingCount === 0) this.#flushLater();
  }

  #seeConfiguration(): void {
    const { configuration } = this.replica.raft;
    if (configuration === this.#configuration) return;
    this.#configuration = configuration;
    this.#options.onConfiguration(configuration);
  }

  #perform(effect: ReplicaEffect): void {
    switch (effect.type) {
      case "send":
        this.#send(effect.message);
        return;
      case "answer":
        this.#answers.answer(effect.id, effect.answer);
        return;
      case "appended":
        this.#appends.answer(effect.id, effect.answer);
        return;
      case "leadConfirmed":
        this.#confirms.answer(effect.id, effect.leads);
        return;
      case "persist":
        this.#disk(() => this.#persist(effect));
        return;
      case "installSnapshot":
        this.#writer.interrupt();
        this.#disk(() => this.#install(effect), true);
        return;
      case "receiveSnapshot":
        this.#disk(() => this.#log.receiveSnapshot(effect.offset, effect.data), true);
        return;
      case "sendSnapshot":
        this.#sendSnapshot(effect);
        return;
      case "takeSnapshot":
        this.#saving = this.#guard(async () => this.#give(await this.#writer.write(effect)));
        return;
      case "hostSnapshotDone":
        this.#writer.done(effect.id, effect.refusal);
        return;
      case "compactLog":
        this.#disk(() => this.#log.compactTo(effect.firstIndex - 1));
        return;
      case "applyMore":
        setImmediate(() => this.#give({ type: "apply" }));
        return;
      case "notify":
        for (const one of effect.notifications)
          tellObserver(one.url, notificationText(one, effect.term));
        return;
      case "removed":
        this.#options.onRemoved();
    }
  }

  #send(message: Message): void {
    if (message.type !== "snapshotChunk") {
      this.#options.peers.send(message.to, "raft", encodeMessage(message));
    }
  }

  /** Begins work on the disk; while a snapshot is being received or installed, all waits for its turn. */
  #disk(work: () => Promise<void>, isSerial = false): void {
    if (this.#installing === null && !isSerial) {
      void this.#guard(work);
      return;
    }
    const mine: Promise<void> = (this.#installing ?? Promise.resolve())
      .then(() => this.#guard(work))
      .then(() => {
        if (this.#installing === mine) this.#installing = null;
      });
    this.#installing = mine;
  }

  async #persist(effect: Effect<"persist">): Promise<void> {
    const log = this.#log;
    const begun: Promise<void>[] = [];
    if (effect.hardState !== null) begun.push(log.saveHardState(effect.hardState));
    if (effect.truncateFrom !== null) begun.push(log.truncateFrom(effect.truncateFrom));
    // An append of nothing is durable when all before it is.
    if (effect.entries.length > 0 || begun.length === 0) {
      const isBusy = this.replica.waitingCount > busyCount;
      begun.push(log.append(effect.entries, isBusy ? busyHoldMs : idleHoldMs));
    }
    await Promise.all(begun);
    if (this.#isEnded) return;
    for (const message of effect.whenDurable) this.#send(message);
    this.#give({ type: "persisted", ticket: effect.ticket });
  }

  async #install(effect: Effect<"installSnapshot">): Promise<void> {
    await this.#saving;
    await this.#log.append([]);
    const { snapshot, keepLog, whenDurable } = effect;
    const received = this.#log.receivedSnapshot(snapshot);
    const { state, records, head, bytes } = await readSnapshotBytes(received, this.#options.where);
    if (head.cluster !== this.#options.cluster) {
      throw new HalonError("HAL_STORE_DAMAGED", `A snapshot of agency ${head.cluster} came.`);
    }
    await this.#log.installSnapshot(snapshot, keepLog);
    if (this.#isEnded) return;
    for (const message of whenDurable) this.#send(message);
    this.#give({ type: "snapshotInstalled", snapshot, state, records, bytes });
  }

  #sendSnapshot(effect: Effect<"sendSnapshot">): void {
    void this.#guard(async () => {
      const { snapshot, offset, round, to } = effect;
      const part = await this.#sender.read(snapshot.index, offset);
      if (part === null || this.#isEnded) return;
      const { id: from, currentTerm: term } = this.replica.raft;
      const { data, done } = part;
      const rest = { snapshot, offset, data, done, round } as const;
      const message: Message = { type: "snapshotChunk", from, to, term, ...rest };
      this.#options.peers.send(to, "raft-bulk", encodeMessage(message));
    });
  }

  /** What the disk refuses ends this driver: it steps down and says nothing further. */
  async #guard(work: () => Promise<void>): Promise<void> {
    if (this.#isEnded) return;
    try {
      await work();
    } catch (error) {
      if (this.#isEnded) return;
      this.end();
      this.#options.onDiskError(diskRefused(this.#options.where, error));
    }
  }
}
