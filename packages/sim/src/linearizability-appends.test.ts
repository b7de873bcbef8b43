import { expect, test } from "vitest";
import { checkAppends, type ListOperation } from "./linearizability-appends.ts";

type Times = readonly [start: number, end: number];
type Outcome = "ok" | "refused" | "unknown";

const append = ([start, end]: Times, value: number, outcome: Outcome = "ok"): ListOperation => ({
  ...{ type: "append", id: `a${value}`, key: "k", value, start, end, outcome },
});
const read = ([start, end]: Times, ...values: readonly number[]): ListOperation => ({
  ...{ type: "read", id: `r${start}`, key: "k", values, start, end },
});

test.each<{ name: string; history: readonly ListOperation[] }>([
  { name: "an absent list is empty", history: [read([0, 1])] },
  {
    name: "elements stand in the order of their appends",
    history: [append([0, 1], 1), append([2, 3], 2), read([4, 5], 1, 2)],
  },
  {
    name: "concurrent appends stand in any order",
    history: [append([0, 9], 1), append([0, 9], 2), read([10, 11], 2, 1)],
  },
  {
    name: "an unknown append may be late or never",
    history: [
      append([0, 1], 1, "unknown"),
      append([0, 1], 3, "unknown"),
      read([2, 3]),
      append([4, 5], 2),
      read([6, 7], 2, 1),
    ],
  },
  {
    name: "appends that nobody saw have no order",
    history: [append([8, 9], 1), append([0, 1], 2)],
  },
])("passes: $name", ({ history }) => {
  expect(checkAppends(history)).toEqual({ type: "linearizable" });
});

test.each<{
  name: string;
  history: readonly ListOperation[];
  reason: string;
  ids: readonly string[];
}>([
  {
    name: "a lost element",
    history: [append([0, 1], 1), read([2, 3])],
    reason: "acknowledged before it",
    ids: ["a1", "r2"],
  },
  {
    name: "a stale read",
    history: [append([0, 1], 1), read([2, 3], 1), read([4, 5])],
    reason: "lacks",
    ids: ["a1", "r4"],
  },
  {
    name: "reads that go back",
    history: [append([0, 9], 1), read([2, 3], 1), read([4, 5])],
    reason: "less than one before",
    ids: ["r2", "r4"],
  },
  {
    name: "an element that is there twice",
    history: [append([0, 1], 1), read([2, 3], 1, 1)],
    reason: "twice",
    ids: ["a1", "r2"],
  },
  {
    name: "an element that nobody appended",
    history: [read([2, 3], 7)],
    reason: "nobody appended 7",
    ids: ["r2"],
  },
  {
    name: "an element whose append was refused",
    history: [append([0, 1], 7, "refused"), read([2, 3], 7)],
    reason: "nobody appended 7",
    ids: ["r2"],
  },
  {
    name: "two histories of one list",
    history: [append([0, 9], 1), append([0, 9], 2), read([2, 3], 1), read([4, 5], 2, 1)],
    reason: "begins with",
    ids: ["r2", "r4"],
  },
  {
    name: "appends out of order",
    history: [append([0, 1], 1), append([2, 3], 2), read([4, 5], 2, 1)],
    reason: "an element stands before",
    ids: ["a1", "a2"],
  },
  {
    name: "an element from the future",
    history: [read([0, 1], 1), append([2, 3], 1, "unknown")],
    reason: "appended after it",
    ids: ["r0", "a1"],
  },
])("refuses: $name", ({ history, reason, ids }) => {
  const verdict = { type: "violation", key: "k", reason: expect.stringContaining(reason), ids };
  expect(checkAppends(history)).toEqual(verdict);
});

test("two appends of one element are refused, as nothing could be told apart", () => {
  expect(() => checkAppends([append([0, 1], 1), append([2, 3], 1)])).toThrow("both append 1 to k");
});

test("it says of small histories what trying every order says", { timeout: 60_000 }, () => {
  const counts = { right: 0, wrong: 0 };
  for (let seed = 0; seed < 6_000; seed += 1) {
    const history = smallHistory(createRandom(seed));
    const isRight = isExplicable(history, []);
    counts[isRight ? "right" : "wrong"] += 1;
    const told = checkAppends(history).type === "linearizable";
    expect({ seed, told }).toEqual({ seed, told: isRight });
  }
  expect(Math.min(counts.right, counts.wrong)).toBeGreaterThan(600);
});

function createRandom(seed: number): (below: number) => number {
  let state = Math.imul(seed + 1, 0x9e3779b9);
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A list that grows as time goes on, with times that are wrong now and then. */
function smallHistory(random: (below: number) => number): readonly ListOperation[] {
  const values = [1, 2, 3, 4].slice(0, 1 + random(4));
  const outcomes: readonly Outcome[] = ["ok", "ok", "ok", "unknown", "unknown", "refused"];
  const appends = values.map((value) => {
    const start = 4 * value + random(9);
    return append([start, start + random(8)], value, outcomes[random(outcomes.length)] ?? "ok");
  });
  const seen = random(5) === 0 ? values.toReversed() : values;
  const reads = Array.from({ length: random(4) }, (_, at) => {
    const start = random(30) + at / 10;
    const exact = Math.floor(start / 5) + random(3) - 1;
    return read([start, start + random(8)], ...seen.slice(0, Math.max(0, exact)));
  });
  return [...appends, ...reads];
}

function isExplicable(history: readonly ListOperation[], list: readonly unknown[]): boolean {
  const left = history.filter((each) => each.type === "read" || each.outcome !== "refused");
  const required = left.filter((each) => each.type === "read" || each.outcome === "ok");
  if (required.length === 0) return true;
  const deadline = Math.min(...required.map(({ end }) => end));
  return left.some((operation) => {
    if (operation.start > deadline) return false;
    const rest = left.filter((each) => each !== operation);
    if (operation.type === "append") return isExplicable(rest, [...list, operation.value]);
    return operation.values.join() === list.join() && isExplicable(rest, list);
  });
}
