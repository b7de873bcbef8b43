import { emptyKv } from "@halon/kv";
import { defaultOptions } from "@halon/raft";
import { describe, expect, test } from "vitest";
import { HostRecords, noRecords } from "./records.ts";
import { Replica } from "./replica.ts";
import { decode, encode, Hand, writeOf } from "./testing.ts";

const set = (path: string, value: unknown) => [{ [path]: { op: "set", new: value } }];

/** Three members, `a` leads in the term given. */
function agency(options = {}): { readonly hand: Hand; readonly epoch: number } {
  const hand = new Hand(["a", "b", "c"], options);
  hand.elect("a");
  hand.tick(10);
  return { hand, epoch: hand.replica("a").raft.currentTerm };
}

/** Slots 1 to `count` are on all members. */
function filled(count: number, options = {}): { readonly hand: Hand; readonly epoch: number } {
  const { hand, epoch } = agency(options);
  for (let position = 1; position <= count; position++) hand.append("a", { position, epoch });
  hand.tick(10);
  return { hand, epoch };
}

const textsOf = (replica: Replica, from = 1): readonly string[] =>
  replica.records.read(from, Infinity).map(({ position, data }) => `${position}: ${decode(data)}`);

describe("an append", () => {
  test("is answered when a majority has it, and is on every member with its epoch", () => {
    const { hand, epoch } = agency();
    hand.cut.add("b").add("c");
    const first = hand.append("a", { position: 1, epoch });
    const second = hand.append("a", { position: 2, epoch });
    hand.settle();
    expect(hand.appends.size).toBe(0);
    hand.cut.delete("b");
    hand.tick(10);
    expect(hand.appends.get(first)).toEqual({ type: "committed" });
    expect(hand.appends.get(second)).toEqual({ type: "committed" });
    hand.cut.clear();
    hand.tick(20);
    for (const id of ["a", "b", "c"]) {
      expect(textsOf(hand.replica(id))).toEqual(["1: slot 1", "2: slot 2"]);
      expect(hand.replica(id).records.read(1, 1)).toMatchObject([{ position: 1, epoch }]);
    }
  });

  test("is fenced off the leader, under another epoch, and before the leadership is open", () => {
    const { hand, epoch } = agency();
    const elsewhere = hand.append("b", { position: 1, epoch });
    expect(hand.appends.get(elsewhere)).toEqual({ type: "fenced", epoch });
    const old = hand.append("a", { position: 1, epoch: epoch - 1 });
    expect(hand.appends.get(old)).toEqual({ type: "fenced", epoch });
    hand.give("a", { type: "campaign" });
    hand.stuck.add("b").add("c");
    hand.settle();
    const early = hand.append("a", { position: 1, epoch: epoch + 1 });
    expect(hand.appends.get(early)).toEqual({ type: "fenced", epoch: epoch + 1 });
    expect(hand.replica("a").recordsLeading).toBe(null);
  });

  test("has the next position, what is on its way counted; else it is a conflict", () => {
    const { hand, epoch } = agency();
    hand.cut.add("a");
    const first = hand.append("a", { position: 1, epoch });
    const same = hand.append("a", { position: 1, epoch });
    const far = hand.append("a", { position: 3, epoch });
    expect(hand.appends.get(same)).toEqual({ type: "conflict" });
    expect(hand.appends.get(far)).toEqual({ type: "conflict" });
    hand.cut.clear();
    hand.tick(10);
    expect(hand.appends.get(first)).toEqual({ type: "committed" });
    expect(textsOf(hand.replica("a"))).toEqual(["1: slot 1"]);
  });

  test("is refused as busy while leadership is handed over, and nothing is proposed", () => {
    const { hand, epoch } = agency();
    hand.cut.add("b");
    hand.turn("a", { type: "transferLeader", to: "b" });
    const before = hand.replica("a").raft.log.lastIndex;
    const refused = hand.append("a", { position: 1, epoch });
    expect(hand.appends.get(refused)).toEqual({ type: "busy" });
    expect(hand.replica("a").raft.log.lastIndex).toBe(before);
  });

  test("ends with the leadership, which ends without a majority; no time-out ends it before", () => {
    const { hand, epoch } = agency();
    hand.cut.add("a");
    const lost = hand.append("a", { position: 1, epoch });
    hand.tick(defaultOptions.electionTicksMin - 1, ["a"]);
    expect(hand.appends.has(lost)).toBe(false);
    hand.tick(20, ["a"]);
    expect(hand.replica("a").raft.role).not.toBe("leader");
    expect(hand.appends.get(lost)).toEqual({ type: "lostLeadership" });
  });

  test("that waits when the driver ends is answered as unknown", () => {
    const { hand, epoch } = agency();
    hand.cut.add("a");
    hand.append("a", { position: 1, epoch });
    expect(hand.replica("a").waitingCount).toBe(1);
    const effects = hand.replica("a").close();
    expect(effects).toMatchObject([{ type: "appended", answer: { type: "lostLeadership" } }]);
  });
});

describe("a leadership", () => {
  test("tells its epoch and the last position before it, once an entry of its term is committed", () => {
    const { hand, epoch } = filled(3);
    expect(hand.replica("a").recordsLeading).toEqual({ epoch, position: 0 });
    expect(hand.replica("b").recordsLeading).toBe(null);
    hand.give("a", { type: "campaign" });
    expect(hand.replica("a").recordsLeading).toBe(null);
    hand.tick(10);
    expect(hand.replica("a").recordsLeading).toEqual({ epoch: epoch + 1, position: 3 });
  });

  test("that steps into a new term leaves no append of the old one open", () => {
    const { hand, epoch } = filled(1);
    const lost = hand.append("a", { position: 2, epoch });
    hand.give("a", { type: "campaign" });
    expect(hand.appends.get(lost)).toEqual({ type: "lostLeadership" });
    hand.tick(10);
    // It was in the log of the next leader, which is the same member: so it is committed.
    expect(hand.replica("a").recordsLeading).toEqual({ epoch: epoch + 1, position: 2 });
    expect(textsOf(hand.replica("a"))).toEqual(["1: slot 1", "2: slot 2"]);
  });

  test("of a sole voter steps into a new term without a tick", () => {
    const hand = new Hand(["a"]);
    hand.elect("a");
    const { currentTerm } = hand.replica("a").raft;
    hand.give("a", { type: "campaign" });
    // Its vote, its first entry, and the leader's announcement.
    for (let write = 0; write < 3; write++) hand.settle();
    const epoch = currentTerm + 1;
    expect(hand.replica("a").recordsLeading).toEqual({ epoch, position: 0 });
  });

  test("asked elsewhere to step into a new term, nothing happens", () => {
    const { hand, epoch } = agency();
    hand.give("b", { type: "campaign" });
    hand.tick(10);
    expect(hand.replica("a").recordsLeading).toEqual({ epoch, position: 0 });
  });
});

describe("the host's snapshot", () => {
  const refusalOf = (hand: Hand, id: number) => {
    const done = hand.effects.findLast(
      ({ effect }) => effect.type === "hostSnapshotDone" && effect.id === id,
    )?.effect;
    return done?.type === "hostSnapshotDone" ? done.refusal : undefined;
  };

  test("holds the position asked for and the slots after it, and drops those before when saved", () => {
    const { hand } = filled(5);
    hand.give("b", { type: "hostSnapshot", id: 901, position: 3 });
    const saving = hand.saving("b");
    expect(saving).toMatchObject({ hostId: 901, records: { base: 3 } });
    expect(saving.records.slots.map(({ position }) => position)).toEqual([4, 5]);
    expect(textsOf(hand.replica("b"))).toHaveLength(5);
    hand.save("b");
    expect(refusalOf(hand, 901)).toBe(null);
    expect(hand.replica("b").records).toMatchObject({ base: 3, lastPosition: 5, installs: 0 });
    expect(textsOf(hand.replica("b"), 4)).toEqual(["4: slot 4", "5: slot 5"]);
    expect(textsOf(hand.replica("b"))).toEqual([]);
    expect(textsOf(hand.replica("a"))).toHaveLength(5);
  });

  test("may follow another at once, without an entry between them", () => {
    const { hand } = filled(5);
    hand.give("b", { type: "hostSnapshot", id: 901, position: 3 });
    hand.save("b");
    hand.give("b", { type: "hostSnapshot", id: 902, position: 5 });
    hand.save("b");
    expect(refusalOf(hand, 902)).toBe(null);
    expect(hand.replica("b").records).toMatchObject({ base: 5, lastPosition: 5 });
  });

  test("waits while another is saved, and one waits at most", () => {
    const { hand } = filled(5);
    hand.give("a", { type: "hostSnapshot", id: 901, position: 2 });
    hand.give("a", { type: "hostSnapshot", id: 902, position: 4 });
    hand.give("a", { type: "hostSnapshot", id: 903, position: 5 });
    expect(refusalOf(hand, 903)).toBe("busy");
    expect(hand.saving("a").hostId).toBe(901);
    hand.save("a");
    expect(hand.saving("a").hostId).toBe(902);
    hand.save("a");
    expect(hand.replica("a").records.base).toBe(4);
  });

  test("is refused at a position that is not committed, below 1, or older than the last", () => {
    const { hand } = filled(5);
    hand.give("a", { type: "hostSnapshot", id: 901, position: 4 });
    hand.save("a");
    const tried = [6, 0, 3].map((position, at) => {
      hand.give("a", { type: "hostSnapshot", id: 902 + at, position });
      return refusalOf(hand, 902 + at);
    });
    expect(tried).toEqual(["notCommitted", "notCommitted", "older"]);
  });

  test("that does not come leaves the one before as it is, and the next is taken", () => {
    const { hand } = filled(5);
    hand.give("a", { type: "hostSnapshot", id: 901, position: 2 });
    hand.give("a", { type: "snapshotFailed", snapshot: hand.saving("a").snapshot });
    expect(refusalOf(hand, 901)).toBe("failed");
    expect(textsOf(hand.replica("a"))).toHaveLength(5);
    hand.give("a", { type: "hostSnapshot", id: 902, position: 5 });
    hand.save("a");
    expect(hand.replica("a").records.base).toBe(5);
  });

  test("is carried on by a snapshot that the tree needs, with the slots since", () => {
    const { hand, epoch } = filled(3, { compactionStep: 5 });
    hand.give("a", { type: "hostSnapshot", id: 901, position: 2 });
    hand.save("a");
    hand.append("a", { position: 4, epoch });
    for (let at = 0; at < 6; at++) hand.turn("a", writeOf([set(`/k${at}`, at)]));
    hand.tick(5);
    const saving = hand.saving("a");
    expect(saving).toMatchObject({ hostId: null, records: { base: 2 } });
    expect(saving.records.slots.map(({ position }) => position)).toEqual([3, 4]);
    hand.save("a");
    expect(hand.replica("a").records).toMatchObject({ base: 2, lastPosition: 4 });
  });

  test("and what is in the log after it make the same again after a restart", () => {
    const { hand, epoch } = filled(4);
    hand.give("a", { type: "hostSnapshot", id: 901, position: 2 });
    hand.save("a");
    hand.append("a", { position: 5, epoch });
    hand.tick(10);
    const { raft } = hand.replica("a");
    const { snapshot, state, records } = hand.saving("a");
    const again = new Replica(
      {
        ...{ id: "a", raft: defaultOptions, seed: 9, encode, decode, agencySize: 3 },
        ...{ compactionStep: 1_000, compactionKeep: 50_000 },
      },
      {
        found: {
          hardState: { term: raft.currentTerm, votedFor: raft.votedFor },
          snapshot,
          entries: [],
        },
        ...{ configuration: snapshot.configuration, state, records, snapshotBytes: 10 },
      },
    );
    expect(textsOf(again, 3)).toEqual(["3: slot 3", "4: slot 4"]);
    const { log, currentTerm: term } = raft;
    const entry = { index: log.lastIndex, term, data: encode("\u0003slot 5") };
    again.step({
      type: "receive",
      message: {
        ...{ type: "append", from: "b", to: "a", term: term + 1, round: 0 },
        ...{ prevIndex: snapshot.index, prevTerm: snapshot.term },
        ...{ entries: [entry], commitIndex: entry.index },
      },
    });
    again.step({ type: "apply" });
    expect(textsOf(again, 3)).toEqual(["3: slot 3", "4: slot 4", "5: slot 5"]);
  });
});

describe("a member that lags", () => {
  test("gets host state and slots with another's snapshot, and then what follows", () => {
    const { hand, epoch } = agency({ compactionKeep: 0 });
    hand.cut.add("c");
    for (let position = 1; position <= 6; position++) hand.append("a", { position, epoch });
    for (let at = 0; at < 3; at++) hand.turn("a", writeOf([set(`/k${at}`, at)]));
    hand.tick(10);
    hand.give("a", { type: "hostSnapshot", id: 901, position: 4 });
    hand.save("a");
    hand.lose();
    // As if the entries before were too many to keep.
    const { raft } = hand.replica("a");
    expect(raft.log.snapshot.index).toBe(raft.log.lastIndex);
    hand.give("c", {
      type: "receive",
      message: {
        ...{ type: "snapshotChunk", from: "a", to: "c", term: raft.currentTerm, round: 0 },
        ...{ snapshot: raft.log.snapshot, offset: 0, data: Uint8Array.of(1), done: true },
      },
    });
    expect(hand.replica("c").records).toMatchObject({ base: 4, lastPosition: 6, installs: 1 });
    expect(textsOf(hand.replica("c"), 5)).toEqual(["5: slot 5", "6: slot 6"]);
    hand.cut.clear();
    hand.append("a", { position: 7, epoch });
    hand.tick(20);
    expect(textsOf(hand.replica("c"), 7)).toEqual(["7: slot 7"]);
  });

  test("refuses its own host's snapshot when another's comes", () => {
    const { hand } = filled(4);
    hand.give("a", { type: "hostSnapshot", id: 900, position: 4 });
    hand.save("a");
    const { raft } = hand.replica("a");
    const snapshot = { ...raft.log.snapshot, index: raft.log.lastIndex + 5 };
    const follower = hand.replica("b");
    hand.give("b", { type: "hostSnapshot", id: 901, position: 2 });
    hand.give("b", { type: "hostSnapshot", id: 902, position: 3 });
    const effects = follower.step({
      type: "receive",
      message: {
        ...{ type: "snapshotChunk", from: "a", to: "b", term: raft.currentTerm, round: 0 },
        ...{ snapshot, offset: 0, data: Uint8Array.of(1), done: true },
      },
    });
    expect(effects).toContainEqual({ type: "hostSnapshotDone", id: 902, refusal: "installing" });
    const { snapshot: saved } = hand.saving("b");
    const ended = follower.step({ type: "snapshotSaved", snapshot: saved, bytes: 1 });
    expect(ended).toContainEqual({ type: "hostSnapshotDone", id: 901, refusal: "installing" });
    expect(follower.records.base).toBe(0);
    const late = follower.step({ type: "hostSnapshot", id: 903, position: 3 });
    expect(late).toContainEqual({ type: "hostSnapshotDone", id: 903, refusal: "installing" });
    const records = { base: 9, slots: [] };
    follower.step({ type: "snapshotInstalled", snapshot, state: emptyKv, records, bytes: 1 });
    expect(follower.records).toMatchObject({ base: 9, lastPosition: 9, installs: 1 });
  });
});

test("slots are read in order, within the bytes asked for, but at least one", () => {
  const records = new HostRecords(noRecords);
  for (let at = 1; at <= 4; at++) {
    records.add({ index: at, term: 1, data: Uint8Array.of(3, 1, 2, 3) });
  }
  const read = (from: number, bytes: number) =>
    records.read(from, bytes).map(({ position }) => position);
  expect(read(1, 7)).toEqual([1, 2]);
  expect(read(3, 1)).toEqual([3]);
  expect(read(5, 100)).toEqual([]);
  expect(records.read(1, 1)[0]?.data).toEqual(Uint8Array.of(1, 2, 3));
});
