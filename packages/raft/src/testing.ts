import { assert } from "./assert.ts";
import type { Configuration, MemberId } from "./configuration.ts";
import type { Effect } from "./effect.ts";
import type { Entry } from "./entry.ts";
import type { HardState } from "./hard-state.ts";
import { init } from "./init.ts";
import type { Input } from "./input.ts";
import { entriesOf, termAt } from "./log.ts";
import { configurationAt } from "./membership.ts";
import type { Message } from "./message.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { defaultOptions } from "./options.ts";
import type { SnapshotMeta } from "./snapshot.ts";
import type { RaftOptions, RaftState } from "./state.ts";
import { step } from "./step.ts";

interface Disk {
  hardState: HardState;
  snapshot: SnapshotMeta;
  snapshotBytes: Uint8Array;
  entries: Entry[];
}

type Write = Extract<Effect, { type: "persist" | "installSnapshot" }>;

/** A member with a disk that forgets what is not synced, and a state machine that lists what was applied. */
interface Node {
  state: RaftState;
  disk: Disk;
  /** False: it has crashed. */
  up: boolean;
  /** True: writes become durable only when told. */
  slowDisk: boolean;
  writes: Write[];
  received: number[];
  applied: string[];
  /** Index that `applied` stands for. */
  appliedIndex: number;
}

/** Told of every step: the member, what it did and what it is now. */
export type Observer = (before: RaftState, after: RaftState, effects: readonly Effect[]) => void;

/** Members with a network delivered by hand; what holds in every run is checked after every step. */
export class Cluster {
  readonly nodes = new Map<MemberId, Node>();
  /** Sent and not yet delivered, oldest first. */
  network: Message[] = [];
  /** `a→b`: messages that way are lost. */
  readonly cut = new Set<string>();
  chunkBytes = 1000;
  readonly #observe: Observer;
  readonly #leaders = new Map<number, MemberId>();
  readonly #committed = new Map<number, { term: number; text: string }>();
  #starts = 0;

  constructor(observe: Observer) {
    this.#observe = observe;
  }

  node(id: MemberId): Node {
    const node = this.nodes.get(id);
    assert(node !== undefined, `there is no member ${id}`);
    return node;
  }

  start(id: MemberId, configuration: Configuration, options: Partial<RaftOptions>, seed = 0): void {
    const all = { ...defaultOptions, ...options };
    const state = init({ id, options: all, seed, found: null, configuration });
    const disk: Disk = {
      hardState: { term: 0, votedFor: null },
      snapshot: state.log.snapshot,
      snapshotBytes: new Uint8Array(),
      entries: [],
    };
    this.nodes.set(id, {
      state,
      disk,
      up: true,
      slowDisk: false,
      writes: [],
      received: [],
      applied: [],
      appliedIndex: 0,
    });
  }

  /** Ends a member; what is not durable is gone. */
  crash(id: MemberId): void {
    const node = this.node(id);
    node.up = false;
    node.writes = [];
    node.received = [];
  }

  /** Starts it again from its disk alone. */
  restart(id: MemberId): void {
    const node = this.node(id);
    const { options, log } = node.state;
    this.#starts += 1;
    const { configuration } = log.snapshot;
    node.state = init({ id, options, seed: this.#starts, found: node.disk, configuration });
    node.applied = fromBytes(node.disk.snapshotBytes);
    node.appliedIndex = node.disk.snapshot.index;
    node.up = true;
  }

  give(id: MemberId, input: Input): void {
    const node = this.node(id);
    if (!node.up) return;
    const before = node.state;
    const [after, effects] = step(before, input);
    node.state = after;
    this.#observe(before, after, effects);
    this.#check(after);
    for (const effect of effects) this.#perform(node, effect);
    if (!node.slowDisk) this.sync(id, node.writes.length);
  }

  /** The oldest `count` writes become durable. */
  sync(id: MemberId, count: number): void {
    const node = this.node(id);
    for (let at = 0; at < count; at += 1) {
      // One at a time: what a member does when it hears of one may end the ones after it.
      const write = node.writes.shift();
      if (write === undefined) return;
      store(node.disk, write, node);
      for (const message of write.whenDurable) this.#send(message);
      if (write.type === "persist") this.give(id, { type: "persisted", ticket: write.ticket });
      else this.give(id, { type: "snapshotInstalled", index: write.snapshot.index });
    }
  }

  /** Takes a message off the network and hands it over, as the bytes that cross a link. */
  deliver(message: Message): void {
    const decoded = decodeMessage(encodeMessage(message));
    assert(decoded !== null, `cannot be decoded: ${JSON.stringify(message)}`);
    if (this.nodes.has(message.to)) this.give(message.to, { type: "receive", message: decoded });
  }

  /** Delivers until nothing is on its way. */
  settle(): void {
    for (let count = 0; count < 100_000; count += 1) {
      const message = this.network.shift();
      if (message === undefined) return;
      this.deliver(message);
    }
    throw new Error("the members never stop talking");
  }

  /** What a driver does when it saves its state. */
  compact(id: MemberId, index: number, firstIndex: number): void {
    const node = this.node(id);
    assert(index <= node.appliedIndex, `${index} is not applied yet`);
    const term = termAt(node.state.log, index);
    assert(term !== null, `no term at ${index}`);
    const configuration = configurationAt(node.state, index);
    const snapshot = { index, term, configuration };
    node.disk.snapshot = snapshot;
    node.disk.snapshotBytes = toBytes(node.applied.slice(0, index));
    node.disk.entries = node.disk.entries.filter((entry) => entry.index >= firstIndex);
    this.give(id, { type: "compacted", snapshot, firstIndex });
  }

  #send(message: Message): void {
    if (!this.cut.has(`${message.from}→${message.to}`)) this.network.push(message);
  }

  #perform(node: Node, effect: Effect): void {
    switch (effect.type) {
      case "send":
        this.#send(effect.message);
        return;
      case "persist":
      case "installSnapshot":
        node.writes.push(effect);
        return;
      case "commit":
        apply(node, effect.index);
        return;
      case "sendSnapshot":
        this.#sendChunk(node, effect);
        return;
      case "receiveSnapshot":
        assert(
          effect.offset === 0 || effect.offset === node.received.length,
          "a gap in a snapshot",
        );
        if (effect.offset === 0) node.received = [];
        node.received.push(...effect.data);
        return;
      case "proposed":
      case "refused":
      case "readReady":
      case "readFailed":
      case "removed":
        return;
    }
  }

  #sendChunk(node: Node, effect: Extract<Effect, { type: "sendSnapshot" }>): void {
    const { to, offset, round } = effect;
    // Like a driver that keeps one snapshot: another than the one asked for is not sent.
    if (effect.snapshot.index !== node.disk.snapshot.index) return;
    const bytes = node.disk.snapshotBytes;
    const data = bytes.slice(offset, offset + this.chunkBytes);
    const done = offset + data.length >= bytes.length;
    const { id: from, currentTerm: term } = node.state;
    const { snapshot } = effect;
    this.#send({ type: "snapshotChunk", from, to, term, snapshot, offset, data, done, round });
  }

  /** Election safety, leader completeness and state machine safety (§5.2, §5.4). */
  #check(state: RaftState): void {
    const { id, role, currentTerm, commitIndex, log } = state;
    if (role === "leader") {
      const leader = this.#leaders.get(currentTerm) ?? id;
      assert(leader === id, `${leader} and ${id} both lead in term ${currentTerm}`);
      this.#leaders.set(currentTerm, id);
    }
    for (let index = log.firstIndex; index <= commitIndex; index += 1) {
      const [entry] = entriesOf(log, index, index);
      assert(entry !== undefined, `no entry ${index}`);
      const text = `${entry.term} ${entry.data.join(",")}`;
      const known = this.#committed.get(index)?.text ?? text;
      assert(known === text, `${id} commits another entry ${index} than was committed`);
      if (!this.#committed.has(index)) this.#committed.set(index, { term: entry.term, text });
    }
    if (role !== "leader") return;
    for (const [index, { term }] of this.#committed) {
      const isHeld = index < log.firstIndex || termAt(log, index) === term;
      assert(
        term > currentTerm || isHeld,
        `leader ${id} lacks entry ${index}, which was committed`,
      );
    }
  }
}

function store(disk: Disk, write: Write, node: Node): void {
  if (write.type === "installSnapshot") {
    const { index } = write.snapshot;
    disk.snapshot = write.snapshot;
    disk.snapshotBytes = Uint8Array.from(node.received);
    disk.entries = write.keepLog ? disk.entries.filter((entry) => entry.index > index) : [];
    node.applied = fromBytes(disk.snapshotBytes);
    node.appliedIndex = index;
    return;
  }
  if (write.hardState !== null) disk.hardState = write.hardState;
  const { truncateFrom } = write;
  if (truncateFrom !== null) {
    disk.entries = disk.entries.filter((entry) => entry.index < truncateFrom);
  }
  const last = disk.entries.at(-1)?.index ?? disk.snapshot.index;
  const next = write.entries[0]?.index ?? last + 1;
  assert(next === last + 1, `the disk is given entry ${next} after ${last}`);
  disk.entries.push(...write.entries);
}

function apply(node: Node, index: number): void {
  for (const entry of entriesOf(node.state.log, node.appliedIndex + 1, index)) {
    node.applied.push(dataText(entry));
  }
  node.appliedIndex = index;
}

/** `x` for a command, `-` for nothing, `members` for a configuration. */
export function dataText({ data }: Entry): string {
  if (data[0] === 0) return "-";
  return data[0] === 2 ? "members" : String.fromCharCode(...data.subarray(1));
}

function toBytes(applied: readonly string[]): Uint8Array {
  return Uint8Array.from([...applied.join(" ")].map((letter) => letter.charCodeAt(0)));
}

function fromBytes(bytes: Uint8Array): string[] {
  return bytes.length === 0 ? [] : String.fromCharCode(...bytes).split(" ");
}

/** A simple configuration; addresses are made up. */
export function configurationOf(
  voters: readonly MemberId[],
  learners: readonly MemberId[] = [],
): Configuration {
  const ids = [...voters, ...learners].sort();
  const members = ids.map((id) => ({ id, address: `${id}:1` }));
  return { members, voters: [...voters].sort(), outgoing: [], learners: [...learners].sort() };
}
