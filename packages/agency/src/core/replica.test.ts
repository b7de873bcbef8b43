import { stateDigest } from "@halon/kv";
import { entriesOf, entryKind } from "@halon/raft";
import { describe, expect, test } from "vitest";
import { Hand, readOf, writeOf } from "./testing.ts";
import { commitTimeoutMs, waitingMax } from "./waiting.ts";

const set = (path: string, value: unknown) => [{ [path]: { op: "set", new: value } }];
const timeoutTicks = Math.ceil(commitTimeoutMs / 15) + 1;

/** Three members, `a` leads. */
function agency(): Hand {
  const hand = new Hand(["a", "b", "c"]);
  hand.elect("a");
  hand.tick(10);
  return hand;
}

describe("writes", () => {
  test("a leader's first entry is /.agency, and members hold equal trees", () => {
    const hand = agency();
    hand.turn("a", writeOf([set("/x", 1)]));
    hand.tick(10);
    const trees = ["a", "b", "c"].map((id) => stateDigest(hand.replica(id).committed));
    expect(new Set(trees).size).toBe(1);
    const read = hand.turn("a", readOf("/.agency"));
    hand.tick(10);
    const answer = hand.answers.get(read);
    const text = answer?.type === "json" ? answer.text : "";
    expect(JSON.parse(text)[0][".agency"]).toMatchObject({ id: "a", active: ["a", "b", "c"] });
  });

  test("all requests of a turn go into one entry, and see each other in order", () => {
    const hand = agency();
    const before = hand.replica("a").raft.log.lastIndex;
    const first = hand.ask("a", writeOf([set("/x", 1)]));
    const second = hand.ask("a", writeOf([[{ "/x": 2 }, { "/x": { old: 1 } }]]));
    hand.flush("a");
    expect(hand.replica("a").raft.log.lastIndex).toBe(before + 1);
    expect(hand.answers.size).toBe(0);
    hand.settle();
    expect(hand.answers.get(first)).toEqual({ type: "written", status: 200, results: [2] });
    expect(hand.answers.get(second)).toEqual({ type: "written", status: 200, results: [3] });
  });

  test("a follower persists an append, and its answer, before it applies what is committed", () => {
    const hand = agency();
    hand.settle();
    const follower = hand.replica("b");
    const { currentTerm: term, log } = follower.raft;
    const entry = { index: log.lastIndex + 1, term, data: Uint8Array.of(entryKind.noop) };
    const effects = follower.step({
      type: "receive",
      message: {
        ...{ type: "append", from: "a", to: "b", term, round: 0 },
        ...{ prevIndex: log.lastIndex, prevTerm: log.lastTerm },
        ...{ entries: [entry], commitIndex: entry.index },
      },
    });
    expect(effects.map(({ type }) => type)).toEqual(["persist", "applyMore"]);
    expect(follower.appliedIndex).toBe(entry.index - 1);
    follower.step({ type: "apply" });
    expect(follower.appliedIndex).toBe(entry.index);
  });

  test("a failed precondition is not answered before what it stands on is committed", () => {
    const hand = agency();
    hand.cut.add("b").add("c");
    hand.turn("a", writeOf([set("/x", 1)]));
    const failed = hand.turn("a", writeOf([[{ "/x": 2 }, { "/x": { oldEmpty: true } }]]));
    hand.settle();
    expect(hand.answers.has(failed)).toBe(false);
    hand.cut.clear();
    hand.settle();
    expect(hand.answers.get(failed)).toEqual({ type: "written", status: 412, results: [0] });
  });

  test("a failed precondition alone still needs a majority that follows this leader", () => {
    const hand = agency();
    hand.turn("a", writeOf([set("/x", 1)]));
    hand.settle();
    hand.cut.add("a");
    const failed = hand.turn("a", writeOf([[{ "/x": 2 }, { "/x": { old: 7 } }]]));
    hand.tick(timeoutTicks);
    expect(hand.answers.get(failed)?.type).toBe("lostLeadership");
  });

  test("nothing is answered before this member's own disk and one other have it", () => {
    const hand = agency();
    hand.stuck.add("b").add("c");
    const written = hand.turn("a", writeOf([set("/x", 1)]));
    hand.settle();
    expect(hand.answers.has(written)).toBe(false);
    hand.stuck.delete("b");
    hand.settle();
    expect(hand.answers.get(written)).toMatchObject({ status: 200 });
  });

  test("waitForSequenced is answered when sequenced", () => {
    const hand = agency();
    hand.cut.add("a");
    const written = hand.turn("a", writeOf([set("/x", 1)], "waitForSequenced"));
    expect(hand.answers.get(written)).toEqual({ type: "written", status: 200, results: [2] });
  });

  test("a member that does not lead answers at once, and says who does", () => {
    const hand = agency();
    const written = hand.ask("b", writeOf([set("/x", 1)]));
    expect(hand.answers.get(written)).toEqual({ type: "notLeader", leaderId: "a" });
  });

  test("more than the bound that waits is refused", () => {
    const hand = agency();
    hand.cut.add("a");
    const request = writeOf([set("/x", 1)]);
    for (let asked = 0; asked < waitingMax.write; asked++) hand.ask("a", request);
    const last = hand.ask("a", request);
    expect(hand.answers.get(last)).toEqual({ type: "busy" });
    expect(hand.answers.size).toBe(1);
  });
});

describe("lost leadership", () => {
  test("what waits is answered with its fate unknown, and the other leader's entries count", () => {
    const hand = agency();
    hand.cut.add("a");
    const written = hand.turn("a", writeOf([set("/x", "lost")]));
    const read = hand.turn("a", readOf("/x"));
    for (let ticks = 0; ticks < 200 && hand.replica("b").sequenced === null; ticks++) {
      hand.tick(1, ["b", "c"]);
      if (hand.replica("c").sequenced !== null) break;
    }
    const next = hand.replica("b").sequenced === null ? "c" : "b";
    const other = hand.turn(next, writeOf([set("/x", "kept")]));
    hand.settle();
    expect(hand.answers.get(other)).toMatchObject({ status: 200 });
    expect(hand.answers.has(read)).toBe(false);
    hand.cut.clear();
    hand.tick(20);
    expect(hand.answers.get(written)).toEqual({ type: "lostLeadership" });
    expect(hand.answers.get(read)).toEqual({ type: "lostLeadership" });
    expect(stateDigest(hand.replica("a").committed)).toBe(
      stateDigest(hand.replica(next).committed),
    );
    expect(hand.replica("a").waitingCount).toBe(0);
  });

  test("a message that deposes a leader and commits others' entries in place of its own answers no write", () => {
    const hand = agency();
    const { commitIndex: prevIndex, currentTerm: prevTerm } = hand.replica("a").raft;
    hand.cut.add("a");
    const written = hand.turn("a", writeOf([set("/x", "lost")]));
    const leads = (id: string): boolean => hand.replica(id).sequenced !== null;
    for (let ticks = 0; ticks < 200 && !leads("b") && !leads("c"); ticks++) {
      hand.tick(1, ["b", "c"]);
    }
    const from = leads("b") ? "b" : "c";
    hand.turn(from, writeOf([set("/x", "kept")]));
    hand.settle();
    const { log, commitIndex, currentTerm: term } = hand.replica(from).raft;
    const entries = entriesOf(log, prevIndex + 1, commitIndex);
    const append = { type: "append", prevIndex, prevTerm, entries, commitIndex, round: 1 } as const;
    hand.give("a", { type: "receive", message: { ...append, from, to: "a", term } });
    expect(hand.replica("a").raft).toMatchObject({ role: "follower", commitIndex });
    expect(hand.answers.get(written)).toEqual({ type: "lostLeadership" });
  });

  test("without progress of commit for two seconds the answer is notCommitted", () => {
    const hand = agency();
    // Heartbeats are answered, so leadership stays; the disks of the others hold up the commit.
    hand.stuck.add("b").add("c");
    const written = hand.turn("a", writeOf([set("/x", 1)]));
    hand.tick(timeoutTicks - 5);
    expect(hand.answers.has(written)).toBe(false);
    hand.tick(10);
    expect(hand.answers.get(written)).toEqual({ type: "notCommitted" });
    expect(hand.replica("a").raft.role).toBe("leader");
  });

  test("a driver that cannot write makes its member step down and answer", () => {
    const hand = agency();
    const written = hand.turn("a", writeOf([set("/x", 1)]));
    hand.give("a", { type: "stepDown" });
    expect(hand.answers.get(written)).toEqual({ type: "lostLeadership" });
    expect(hand.replica("a").sequenced).toBe(null);
  });
});

describe("reads", () => {
  test("a read waits for a majority's word, and sees what was committed before it", () => {
    const hand = agency();
    hand.turn("a", writeOf([set("/x", 1)]));
    hand.settle();
    hand.cut.add("a");
    const read = hand.turn("a", readOf("/x"));
    hand.settle();
    expect(hand.answers.has(read)).toBe(false);
    hand.cut.clear();
    hand.tick(10);
    expect(hand.answers.get(read)).toEqual({ type: "json", status: 200, text: '[{"x":1}]' });
  });

  test("inquire knows what is committed, and 404 tells of what is not known", () => {
    const hand = agency();
    hand.turn("a", writeOf([[{ "/x": 1 }, {}, "one"]]));
    const inquire = hand.turn("a", { type: "inquire", ids: ["one", "two"], wait: true });
    hand.tick(10);
    const text = '{"results":[2,0],"inquired":true}';
    expect(hand.answers.get(inquire)).toEqual({ type: "json", status: 404, text });
  });

  test("a poll is answered when its index is committed, or when its time is over", () => {
    const hand = agency();
    const poll = hand.turn("a", { type: "poll", index: 2, timeoutMs: 60_000 });
    const late = hand.turn("a", { type: "poll", index: 9, timeoutMs: 3_000 });
    hand.tick(10);
    expect(hand.answers.has(poll)).toBe(false);
    hand.turn("a", writeOf([set("/x", 1), set("/y", 2)]));
    hand.tick(10);
    const answer = hand.answers.get(poll);
    expect(answer?.type === "json" && JSON.parse(answer.text).result).toEqual({
      commitIndex: 3,
      firstIndex: 2,
      log: [
        { index: 2, query: { "/x": { op: "set", new: 1 } } },
        { index: 3, query: { "/y": { op: "set", new: 2 } } },
      ],
    });
    hand.tick(200);
    expect(hand.answers.get(late)).toMatchObject({ text: expect.stringContaining('"log":[]') });
  });

  test("the unreplicated tree ends with the leadership", () => {
    const hand = agency();
    const parsed = writeOf([set("/t", 1)]);
    const items = parsed.type === "write" ? parsed.transactions : [];
    const request = {
      type: "transient",
      items: items.map((write) => ({ type: "write", write }) as const),
    } as const;
    const written = hand.turn("a", request);
    hand.tick(10);
    expect(hand.answers.get(written)).toMatchObject({ status: 200, text: "[true]" });
    expect(hand.replica("a").transient.index).toBeGreaterThan(0);
    hand.give("a", { type: "stepDown" });
    expect(hand.replica("a").transient.index).toBe(0);
  });
});

describe("log time", () => {
  test("goes on from the log with the leader's own clock, whatever wall clocks say", () => {
    const hand = agency();
    hand.turn("a", writeOf([set("/x", 1)]));
    hand.settle();
    const first = hand.replica("a").committed.logTime;
    hand.tick(100);
    hand.turn("a", writeOf([set("/x", 2)]));
    hand.settle();
    expect(hand.replica("a").committed.logTime - first).toBe(1_500);
    const reached = hand.replica("a").committed.logTime;
    hand.tick(5);
    hand.cut.add("a");
    for (let ticks = 0; ticks < 200; ticks++) hand.tick(1, ["b", "c"]);
    const next = hand.replica("b").sequenced === null ? "c" : "b";
    expect(hand.replica(next).logTime).toBeGreaterThanOrEqual(reached);
    expect(hand.replica(next).logTime).toBeLessThan(reached + 200 * 15);
  });
});

describe("snapshots", () => {
  test("one is asked for when due, and the log before what is kept goes when it is saved", () => {
    const hand = new Hand(["a"], { compactionStep: 5, compactionKeep: 2 });
    hand.elect("a");
    for (let at = 0; at < 10; at++) {
      hand.turn("a", writeOf([set(`/k${at}`, at)]));
      hand.settle();
    }
    const due = hand.effects.flatMap(({ effect }) =>
      effect.type === "takeSnapshot" ? [effect] : [],
    );
    const [first] = due;
    expect(due).toHaveLength(1);
    if (first === undefined) throw new Error("no snapshot");
    expect(first.state.index).toBe(5);
    hand.give("a", { type: "snapshotSaved", snapshot: first.snapshot, bytes: 10 });
    const { log } = hand.replica("a").raft;
    expect(log.firstIndex).toBe(first.snapshot.index - 1);
    expect(hand.effects.map(({ effect }) => effect)).toContainEqual({
      type: "compactLog",
      firstIndex: log.firstIndex,
    });
    expect(hand.replica("a").snapshotAt).toBe(5);
  });
});

test("equal inputs give equal effects", () => {
  const run = (): unknown => {
    const hand = agency();
    hand.turn("a", writeOf([set("/x", 1)]));
    hand.turn("a", readOf("/x"));
    hand.tick(20);
    return hand.effects;
  };
  expect(run()).toEqual(run());
});

describe("members", () => {
  test("a change is answered when its last configuration is committed", () => {
    const hand = agency();
    const change = { remove: ["c"] };
    const removed = hand.turn("a", { type: "changeMembers", change });
    expect(hand.answers.has(removed)).toBe(false);
    hand.tick(20);
    expect(hand.answers.get(removed)).toEqual({ type: "done" });
    expect(hand.replica("a").configuration.voters).toEqual(["a", "b"]);
    const again = hand.turn("a", { type: "changeMembers", change });
    expect(hand.answers.get(again)).toMatchObject({ type: "refused" });
  });

  test("a transfer is done when the other leads, and nothing of the old leader counts on", () => {
    const hand = agency();
    const transfer = hand.turn("a", { type: "transferLeader", to: "b" });
    hand.tick(20);
    expect(hand.answers.get(transfer)).toEqual({ type: "done" });
    expect(hand.replica("b").sequenced).not.toBe(null);
    expect(hand.replica("a").sequenced).toBe(null);
  });
});
