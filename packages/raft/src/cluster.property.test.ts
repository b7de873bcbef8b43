import fc from "fast-check";
import { expect, test } from "vitest";
import { assert } from "./assert.ts";
import { describeState } from "./describe.ts";
import type { Effect } from "./effect.ts";
import { entriesOf } from "./log.ts";
import type { Message } from "./message.ts";
import { nextRandom } from "./random.ts";
import type { RaftState } from "./state.ts";
import { Cluster, configurationOf } from "./testing.ts";

const ids = ["a", "b", "c", "d", "e"] as const;

/** A cluster under random faults; all choices come from one seed. */
class Chaos {
  readonly cluster = new Cluster((before, after, effects) => this.#look(before, after, effects));
  #random: number;
  /** Of each read: the highest index that was committed anywhere when it was asked. */
  readonly #reads = new Map<number, number>();
  readonly seen = new Set<string>();
  #committed = 0;
  #proposals = 0;
  /** States as they were, and what they said then. */
  readonly #kept: { state: RaftState; text: string }[] = [];

  constructor(seed: number, lease: boolean) {
    this.#random = seed;
    const configuration = configurationOf(["a", "b", "c"], ["d"]);
    const options = { inflightMax: 4, appendBytesMax: 300, leaseDrift: lease ? 0.1 : null };
    for (const id of ids) {
      this.cluster.start(id, id === "e" ? configurationOf([]) : configuration, options, seed);
    }
    this.cluster.chunkBytes = 5;
  }

  #pick(count: number): number {
    const [value, random] = nextRandom(this.#random);
    this.#random = random;
    return value % count;
  }

  #look(before: RaftState, after: RaftState, effects: readonly Effect[]): void {
    assert(after.commitIndex >= before.commitIndex, "the commit index went back");
    assert(after.currentTerm >= before.currentTerm, "the term went back");
    if (before.role === "leader" && after.role === "leader") {
      assert(after.log.lastIndex >= before.log.lastIndex, "a leader dropped an entry");
    }
    this.#committed = Math.max(this.#committed, after.commitIndex);
    for (const effect of effects) {
      this.seen.add(effect.type);
      if (effect.type === "persist" && effect.truncateFrom !== null) this.seen.add("truncate");
      if (effect.type !== "readReady") continue;
      for (const id of effect.ids) {
        const committed = this.#reads.get(id) ?? 0;
        assert(effect.index >= committed, `a read at ${effect.index}, ${committed} was committed`);
      }
    }
  }

  /** Time passes alike for all, as leases demand; else members tick as they like. */
  #tick(): void {
    for (const id of ids) this.cluster.give(id, { type: "tick" });
  }

  run(steps: number): void {
    for (let at = 0; at < steps; at += 1) {
      this.#act();
      if (this.#pick(50) === 0) {
        const { state } = this.cluster.node(ids[this.#pick(ids.length)] ?? "a");
        this.#kept.push({ state, text: fullText(state) });
      }
    }
  }

  #act(): void {
    const { cluster } = this;
    const id = ids[this.#pick(ids.length)] ?? "a";
    const node = cluster.node(id);
    const what = this.#pick(100);
    if (what < 50) this.#deliver();
    else if (what < 68) this.#tick();
    else if (what < 80) this.#propose(id);
    else if (what < 84) cluster.sync(id, 1 + this.#pick(2));
    else if (what < 87) this.#read(id);
    else if (what < 89) node.slowDisk = !node.slowDisk;
    else if (what < 91) this.#compact(id);
    else if (what < 92) this.#cutOrHeal(id);
    else if (what < 94) this.#crashOrRestart(id);
    else if (what < 96) this.#change(id);
    else if (what < 97) cluster.give(id, { type: "transfer", to: ids[this.#pick(5)] ?? "a" });
    else if (what < 98) cluster.give(id, { type: "peerLost", peer: ids[this.#pick(5)] ?? "a" });
    else if (what < 99) cluster.give(id, { type: "load", timeoutMult: 1 + this.#pick(2) });
    else if (this.#pick(4) === 0) cluster.give(id, { type: "stepDown" });
  }

  /** Any message of those on their way: later, twice, or never. */
  #deliver(): void {
    const { network } = this.cluster;
    if (network.length === 0) return;
    const at = this.#pick(4) === 0 ? this.#pick(network.length) : 0;
    const [message] = network.splice(at, 1) as [Message];
    const fate = this.#pick(20);
    if (fate === 0) return;
    if (fate === 1) network.push(message);
    this.cluster.deliver(message);
  }

  #propose(id: string): void {
    this.#proposals += 1;
    const text = String(this.#proposals);
    const data = Uint8Array.from([1, ...[...text].map((letter) => letter.charCodeAt(0))]);
    this.cluster.give(id, { type: "propose", data });
  }

  #read(id: string): void {
    const read = this.#reads.size + 1;
    this.#reads.set(read, this.#committed);
    this.cluster.give(id, { type: "read", id: read });
  }

  #compact(id: string): void {
    const { state, appliedIndex, up, writes } = this.cluster.node(id);
    const { snapshot, durableIndex } = state.log;
    const index = Math.min(appliedIndex, durableIndex);
    if (!up || state.installing !== null || writes.length > 0 || index <= snapshot.index) return;
    this.cluster.compact(id, index, Math.max(1, index - this.#pick(5)));
  }

  #cutOrHeal(id: string): void {
    const { cut } = this.cluster;
    if (this.#pick(2) === 0) cut.clear();
    for (const other of ids) {
      if (other !== id && this.#pick(2) === 0) cut.add(`${id}→${other}`);
      if (other !== id && this.#pick(2) === 0) cut.add(`${other}→${id}`);
    }
  }

  #crashOrRestart(id: string): void {
    const { up } = this.cluster.node(id);
    if (up && this.#pick(3) > 0) return;
    if (up) this.cluster.crash(id);
    else this.cluster.restart(id);
  }

  #change(id: string): void {
    const other = ids[this.#pick(5)] ?? "a";
    const member = { id: other, address: `${other}:${this.#pick(2)}`, voter: this.#pick(2) === 0 };
    const changes = [{ add: [member] }, { promote: [other] }, { remove: [other] }];
    const change = changes[this.#pick(3)] ?? {};
    const { state } = this.cluster.node(id);
    // What an id once was is its own for ever: those removed do not come back.
    if (this.#pick(3) === 0 || state.configuration.voters.length > 2) {
      this.cluster.give(id, { type: "changeMembers", change });
    }
  }

  /** All faults end; whoever is needed is there. */
  heal(): void {
    const { cluster } = this;
    cluster.cut.clear();
    for (const id of ids) {
      const node = cluster.node(id);
      if (!node.up) cluster.restart(id);
      node.slowDisk = false;
      cluster.sync(id, node.writes.length);
      cluster.give(id, { type: "load", timeoutMult: 1 });
    }
    for (let at = 0; at < 1000; at += 1) {
      this.#tick();
      cluster.settle();
    }
  }

  /** One leader; every member of its configuration has applied all that it has. */
  expectOneStory(): void {
    const nodes = [...this.cluster.nodes.values()];
    const leaders = nodes.filter(({ state }) => state.role === "leader");
    expect(leaders.map(({ state }) => describeState(state))).toHaveLength(1);
    const [leader] = leaders;
    assert(leader !== undefined, "one leader");
    expect(leader.state.commitIndex).toBe(leader.state.log.lastIndex);
    expect(leader.state.configuration.outgoing).toEqual([]);
    for (const { id } of leader.state.configuration.members) {
      expect(this.cluster.node(id).applied, id).toEqual(leader.applied);
    }
  }

  expectOldStatesUnchanged(): void {
    for (const { state, text } of this.#kept) expect(fullText(state)).toBe(text);
  }
}

/** All of a state that can be seen, entries included. */
function fullText(state: RaftState): string {
  const { items: _, ...log } = state.log;
  const { pending: _pending, readsWaiting: _reads, ...rest } = state;
  const entries = entriesOf(state.log, state.log.firstIndex, state.log.lastIndex);
  const maps = { progress: [...state.progress], votes: [...state.votes] };
  return JSON.stringify({ ...rest, ...maps, log, entries });
}

const seen = new Set<string>();

test.each([false, true])(
  "under faults nothing is lost, and all agree when they end; leases: %s",
  (lease) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const chaos = new Chaos(seed, lease);
        chaos.run(1500);
        chaos.expectOldStatesUnchanged();
        chaos.heal();
        chaos.expectOneStory();
        for (const each of chaos.seen) seen.add(each);
      }),
      { numRuns: Number(process.env["RUNS"] ?? "25") },
    );
  },
);

test("those runs meet every kind of effect", () => {
  expect([...seen].sort()).toEqual([
    "commit",
    "installSnapshot",
    "persist",
    "proposed",
    "readFailed",
    "readReady",
    "receiveSnapshot",
    "refused",
    "removed",
    "send",
    "sendSnapshot",
    "truncate",
  ]);
});
