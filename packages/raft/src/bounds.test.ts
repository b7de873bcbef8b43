import { expect, test } from "vitest";
import { init } from "./init.ts";
import type { Input } from "./input.ts";
import { canPropose } from "./leader.ts";
import type { Message } from "./message.ts";
import { defaultOptions } from "./options.ts";
import { nextRandom } from "./random.ts";
import type { RaftOptions, RaftState } from "./state.ts";
import { step } from "./step.ts";
import { Cluster, configurationOf } from "./testing.ts";
import { lengthOf } from "./vector.ts";

function startOf(id: string, options: Partial<RaftOptions> = {}, seed = 1): RaftState {
  return init({
    id,
    options: { ...defaultOptions, ...options },
    seed,
    found: null,
    configuration: configurationOf(["a", "b", "c"]),
  });
}

/** A leader of term 1 whose first entry is durable and committed, in a cluster that is cut off afterwards. */
function leaderOf(options: Partial<RaftOptions> = {}): Cluster {
  const cluster = new Cluster(() => {});
  for (const id of ["a", "b", "c"]) {
    cluster.start(id, configurationOf(["a", "b", "c"]), options);
  }
  cluster.deliver({ type: "timeoutNow", from: "b", to: "a", term: 0 });
  cluster.settle();
  return cluster;
}

/** The effects of many inputs, by type and count. */
function giveAll(state: RaftState, inputs: Iterable<Input>): [RaftState, Map<string, number>] {
  const counts = new Map<string, number>();
  let now = state;
  for (const input of inputs) {
    const [next, effects] = step(now, input);
    now = next;
    for (const { type } of effects) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return [now, counts];
}

function* times<T>(count: number, make: (at: number) => T): Generator<T> {
  for (let at = 0; at < count; at += 1) yield make(at);
}

test("the uncommitted tail is bounded in bytes, however small its entries", () => {
  const { state } = leaderOf({ uncommittedBytesMax: 100_000 }).node("a");
  const data = Uint8Array.of(1);
  const [next, counts] = giveAll(
    state,
    times(5000, () => ({ type: "propose", data })),
  );
  expect(canPropose(next)).toBe("full");
  expect(counts.get("proposed")).toBe(Math.ceil(100_000 / 65));
  expect(counts.get("refused")).toBe(5000 - Math.ceil(100_000 / 65));
});

test("appends on their way to one follower are bounded in count and bytes", () => {
  const { state } = leaderOf({ inflightMax: 8, appendBytesMax: 2000 }).node("a");
  const data = new Uint8Array(500).fill(1);
  let now = state;
  let sent: Message[] = [];
  for (let at = 0; at < 200; at += 1) {
    const [next, effects] = step(now, { type: "propose", data });
    now = next;
    sent = [...sent, ...effects.flatMap((each) => (each.type === "send" ? [each.message] : []))];
  }
  expect(sent.filter(({ to }) => to === "b")).toHaveLength(8);
  // What waited goes out in batches when there is room, and no batch is above the bound.
  const b = { type: "appendResponse", from: "b", to: "a", term: 1, round: 0 } as const;
  const rest = { matchIndex: 9, rejectedIndex: 0, hintIndex: 0, hintTerm: 0 };
  const [, effects] = step(now, { type: "receive", message: { ...b, ...rest } });
  const batches = effects.flatMap((each) =>
    each.type === "send" && each.message.type === "append" ? [each.message.entries.length] : [],
  );
  expect(batches).toEqual([3, 3, 3, 3, 3, 3, 3, 3]);
});

test("reads that wait are bounded at a leader", () => {
  const { state } = leaderOf().node("a");
  const [next, counts] = giveAll(
    state,
    times(12_000, (id) => ({ type: "read", id })),
  );
  expect(lengthOf(next.readsWaiting) + (next.readsOut?.reads.length ?? 0)).toBe(10_000);
  expect(counts.get("readFailed")).toBe(2000);
});

test("reads that others send on are bounded with them", () => {
  const { state } = leaderOf().node("a");
  const [next, counts] = giveAll(
    state,
    times(12_000, (id) => ({
      type: "receive",
      message: { type: "readIndex", from: "b", to: "a", term: 1, id },
    })),
  );
  expect(lengthOf(next.readsWaiting) + (next.readsOut?.reads.length ?? 0)).toBe(10_000);
  // Two heartbeats of the one round, and a refusal for each read beyond the bound.
  expect(counts.get("send")).toBe(2 + 2000);
});

test("reads that wait at a follower are bounded and end without an answer", () => {
  const { state } = leaderOf().node("b");
  const [next, counts] = giveAll(
    state,
    times(12_000, (id) => ({ type: "read", id })),
  );
  expect(counts.get("readFailed")).toBe(2000);
  const [, effects] = giveAll(
    next,
    times(41, () => ({ type: "tick" })),
  );
  expect(effects.get("readFailed")).toBe(1);
});

test("one chunk of a snapshot is on its way to a follower, however often it answers", () => {
  const cluster = leaderOf();
  cluster.cut.add("a→c");
  for (let at = 0; at < 9; at += 1) {
    cluster.give("a", { type: "propose", data: Uint8Array.of(1, 120) });
  }
  cluster.settle();
  cluster.compact("a", 8, 9);
  const lost = giveAll(cluster.node("a").state, [{ type: "peerLost", peer: "c" }])[0];
  const answer: Input = {
    type: "receive",
    message: {
      type: "heartbeatResponse",
      from: "c",
      to: "a",
      term: 1,
      round: 0,
      timeoutMult: 1,
    },
  };
  const [, counts] = giveAll(
    lost,
    times(50, () => answer),
  );
  expect(counts.get("sendSnapshot")).toBe(1);
});

test("writes that are done leave nothing behind", () => {
  const cluster = leaderOf();
  for (let at = 0; at < 500; at += 1) {
    cluster.give("a", { type: "propose", data: Uint8Array.of(1, 120) });
    cluster.settle();
  }
  const { state } = cluster.node("a");
  expect(lengthOf(state.pending)).toBe(0);
  expect(state.pending.items.length).toBeLessThan(10);
  expect(state.uncommittedBytes).toBe(0);
});

test("compaction gives memory back", () => {
  const cluster = leaderOf();
  for (let at = 0; at < 500; at += 1) {
    cluster.give("a", { type: "propose", data: Uint8Array.of(1, 120) });
    cluster.settle();
    const { commitIndex } = cluster.node("a").state;
    cluster.compact("a", commitIndex, commitIndex - 10);
  }
  expect(cluster.node("a").state.log.items.items.length).toBeLessThan(40);
  expect(cluster.node("a").state.configurations).toHaveLength(1);
});

test("votes of strangers are not kept", () => {
  const [candidate] = step(startOf("a"), {
    type: "receive",
    message: { type: "timeoutNow", from: "b", to: "a", term: 0 },
  });
  const vote = { type: "voteResponse", to: "a", term: 1, preVote: false, granted: true } as const;
  const [next] = giveAll(
    candidate,
    times(100, (at) => ({ type: "receive", message: { ...vote, from: `x${at}` } })),
  );
  expect(next.role).toBe("candidate");
  expect(next.votes.size).toBe(0);
});

test("strangers that ask for votes are told of the log in bounded number", () => {
  const { state } = leaderOf().node("a");
  const request = {
    type: "requestVote",
    to: "a",
    term: 2,
    preVote: true,
    transfer: false,
  } as const;
  const [next] = giveAll(
    state,
    times(100, (at) => ({
      type: "receive",
      message: { ...request, from: `x${at}`, lastIndex: 0, lastTerm: 0 },
    })),
  );
  expect(next.progress.size).toBeLessThanOrEqual(32);
});

test("election waits are spread evenly over the configured range", () => {
  const { electionTicksMin, electionTicksMax } = defaultOptions;
  const counts = new Map<number, number>();
  for (let seed = 0; seed < 10_500; seed += 1) {
    const { waitTicks } = startOf("a", {}, seed);
    counts.set(waitTicks, (counts.get(waitTicks) ?? 0) + 1);
  }
  expect(Math.min(...counts.keys())).toBe(electionTicksMin);
  expect(Math.max(...counts.keys())).toBe(electionTicksMax);
  expect(counts.size).toBe(electionTicksMax - electionTicksMin + 1);
  expect(Math.min(...counts.values())).toBeGreaterThan(400);
  expect(Math.max(...counts.values())).toBeLessThan(600);
});

test("members draw apart, with the same seed and with seeds that follow each other", () => {
  const begins = new Set<number>();
  for (const id of ["a", "b", "c", "d", "e"]) {
    for (let seed = 0; seed < 200; seed += 1) begins.add(startOf(id, {}, seed).random);
  }
  expect(begins.size).toBe(1000);
  expect(nextRandom(5)).toEqual(nextRandom(5));
});
