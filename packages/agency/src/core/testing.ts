import { emptyKv, parseReadRequest, parseWriteRequest } from "@halon/kv";
import { type Configuration, defaultOptions, type Message } from "@halon/raft";
import type { AppendAnswer } from "./appends.ts";
import type { ReplicaEffect } from "./effect.ts";
import type { ReplicaInput } from "./input.ts";
import { noRecords } from "./records.ts";
import { Replica } from "./replica.ts";
import type { ReplicaOptions } from "./replica-options.ts";
import type { AgencyAnswer, AgencyRequest, WriteMode } from "./request.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const encode = (text: string): Uint8Array => encoder.encode(text);
export const decode = (bytes: Uint8Array): string => decoder.decode(bytes);

export function writeOf(body: unknown, mode: WriteMode = "waitForCommitted"): AgencyRequest {
  const parsed = parseWriteRequest(JSON.stringify(body));
  if (!parsed.ok) throw new Error(parsed.message);
  return { type: "write", transactions: parsed.writes, mode };
}

export function readOf(...paths: readonly string[]): AgencyRequest {
  const parsed = parseReadRequest(JSON.stringify([paths]));
  if (!parsed.ok) throw new Error(parsed.message);
  return { type: "read", transactions: parsed.reads };
}

type EffectOf<Type extends ReplicaEffect["type"]> = Extract<ReplicaEffect, { type: Type }>;
type Snapshot = EffectOf<"takeSnapshot">;

interface Node {
  readonly replica: Replica;
  /** Tickets not durable yet, with what waits for them. */
  readonly disk: Extract<ReplicaEffect, { readonly type: "persist" }>[];
}

/** Members on a network and on disks that do what the test says; by hand, step by step. */
export class Hand {
  readonly answers = new Map<number, AgencyAnswer>();
  readonly appends = new Map<number, AppendAnswer>();
  readonly effects: { readonly id: string; readonly effect: ReplicaEffect }[] = [];
  readonly #nodes = new Map<string, Node>();
  /** By index, what was saved by anyone. */
  readonly #snapshots = new Map<number, Snapshot>();
  /** Ids whose messages, and messages to whom, wait. */
  readonly cut = new Set<string>();
  /** Ids whose disks are stuck. */
  readonly stuck = new Set<string>();
  #network: Message[] = [];
  #ms = 0;
  #requestCount = 0;

  constructor(ids: readonly string[], options: Partial<ReplicaOptions> = {}) {
    const members = ids.map((id) => ({ id, address: `${id}:1` }));
    const configuration: Configuration = { members, voters: ids, outgoing: [], learners: [] };
    for (const [at, id] of ids.entries()) {
      const replica = new Replica(
        {
          id,
          raft: defaultOptions,
          seed: at + 1,
          encode,
          decode,
          agencySize: ids.length,
          compactionStep: 1_000,
          compactionKeep: 50_000,
          ...options,
        },
        { found: null, configuration, state: emptyKv, records: noRecords, snapshotBytes: 0 },
      );
      this.#nodes.set(id, { replica, disk: [] });
    }
  }

  replica(id: string): Replica {
    return this.#node(id).replica;
  }

  give(id: string, input: ReplicaInput): void {
    for (const effect of this.replica(id).step(input)) this.#perform(id, effect);
  }

  /** The answer comes into `answers` under the number given. */
  ask(id: string, request: AgencyRequest): number {
    this.#requestCount += 1;
    this.give(id, { type: "request", id: this.#requestCount, request });
    return this.#requestCount;
  }

  /** The answer comes into `appends` under the number given. */
  append(id: string, at: { readonly position: number; readonly epoch: number }): number {
    this.#requestCount += 1;
    const data = encode(`slot ${at.position}`);
    this.give(id, { type: "appendRecord", id: this.#requestCount, data, ...at });
    return this.#requestCount;
  }

  /** What a snapshot was asked for last, and not given as saved or failed. */
  saving(id: string): Snapshot {
    const last = this.effects.findLast(
      (each) => each.id === id && each.effect.type === "takeSnapshot",
    );
    if (last?.effect.type !== "takeSnapshot") throw new Error(`${id} takes no snapshot`);
    return last.effect;
  }

  /** The last snapshot that was asked for is on the disk. */
  save(id: string): void {
    const saving = this.saving(id);
    this.#snapshots.set(saving.snapshot.index, saving);
    this.give(id, { type: "snapshotSaved", snapshot: saving.snapshot, bytes: 10 });
  }

  flush(id: string): void {
    this.give(id, { type: "flush", ms: this.#ms, wallMs: 1_000_000 + this.#ms });
  }

  /** Asks and ends the turn. */
  turn(id: string, request: AgencyRequest): number {
    const number = this.ask(id, request);
    this.flush(id);
    return number;
  }

  /** Time passes for those named, or all; then everything that is not held up takes place. */
  tick(count = 1, ids: readonly string[] = [...this.#nodes.keys()]): void {
    for (let given = 0; given < count; given++) {
      this.#ms += 15;
      for (const id of ids) this.give(id, { type: "tick", ms: this.#ms, wallMs: this.#ms });
      this.settle();
    }
  }

  /** Disks write and messages arrive until nothing is left to do. */
  settle(): void {
    for (;;) {
      for (const id of this.#nodes.keys()) if (!this.stuck.has(id)) this.#write(id);
      const arriving = this.#network.filter(
        ({ from, to }) => !this.cut.has(from) && !this.cut.has(to),
      );
      if (arriving.length === 0) return;
      this.#network = this.#network.filter((message) => !arriving.includes(message));
      for (const message of arriving) this.give(message.to, { type: "receive", message });
    }
  }

  /** What waits on the network is lost. */
  lose(): void {
    this.#network = [];
  }

  elect(id: string): void {
    for (let ticks = 0; ticks < 200; ticks++) {
      this.tick(1, [id]);
      if (this.replica(id).sequenced !== null) return;
    }
    throw new Error(`${id} does not lead`);
  }

  #write(id: string): void {
    const { disk } = this.#node(id);
    for (const effect of disk.splice(0)) {
      this.#network.push(...effect.whenDurable);
      this.give(id, { type: "persisted", ticket: effect.ticket });
    }
  }

  #perform(id: string, effect: ReplicaEffect): void {
    this.effects.push({ id, effect });
    if (effect.type === "send") this.#network.push(effect.message);
    else if (effect.type === "persist") this.#node(id).disk.push(effect);
    else if (effect.type === "answer") {
      if (this.answers.has(effect.id)) throw new Error(`request ${effect.id} is answered twice`);
      this.answers.set(effect.id, effect.answer);
    } else if (effect.type === "appended") {
      if (this.appends.has(effect.id)) throw new Error(`append ${effect.id} is answered twice`);
      this.appends.set(effect.id, effect.answer);
    } else if (effect.type === "applyMore") this.give(id, { type: "apply" });
    else if (effect.type === "sendSnapshot") this.#sendSnapshot(id, effect);
    else if (effect.type === "installSnapshot") this.#install(id, effect);
  }

  #sendSnapshot(from: string, effect: EffectOf<"sendSnapshot">): void {
    const { to, snapshot, offset, round } = effect;
    const { currentTerm: term } = this.replica(from).raft;
    const part = { snapshot, offset, data: Uint8Array.of(1), done: true, round };
    this.#network.push({ type: "snapshotChunk", from, to, term, ...part });
  }

  #install(id: string, { snapshot, whenDurable }: EffectOf<"installSnapshot">): void {
    const stored = this.#snapshots.get(snapshot.index);
    if (stored === undefined) throw new Error(`no snapshot at ${snapshot.index}`);
    const { state, records } = stored;
    this.#network.push(...whenDurable);
    this.give(id, { type: "snapshotInstalled", snapshot, state, records, bytes: 10 });
  }

  #node(id: string): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`no member ${id}`);
    return node;
  }
}
