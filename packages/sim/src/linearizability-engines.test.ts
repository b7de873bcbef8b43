import type { Json } from "@halon/protocol";
import { expect, test } from "vitest";
import { type Assignment, checkLinearizable, type Operation } from "./linearizability.ts";
import { compile } from "./linearizability-model.ts";
import { findOrder } from "./linearizability-search.ts";
import { sweep } from "./linearizability-sweep.ts";

/** mulberry32: short, and equal everywhere. */
function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

type Random = (below: number) => number;

/** Arbitrary answers on few keys and values, so that about half of the histories are wrong. */
function arbitraryHistory(random: Random, countMax = 8): readonly Operation[] {
  const keys = ["__proto__", "b", "c"].slice(0, 1 + random(3));
  const unknownPercent = random(70);
  const horizon = 4 + random(16);
  const anyValue = (): Json => [null, 1, 2, "x"][random(4)] ?? null;
  const keyOf = () => keys[random(keys.length)] ?? "b";
  const assignments = (count: number): Assignment[] =>
    Array.from({ length: count }, () => ({ key: keyOf(), value: anyValue() }));
  return Array.from({ length: 1 + random(countMax) }, (_, at): Operation => {
    const start = random(horizon);
    const call = { id: `o${at}`, start, end: start + random(6) };
    const [key, value] = [keyOf(), anyValue()];
    const isUnknown = random(100) < unknownPercent;
    const outcome = isUnknown ? "unknown" : random(4) === 0 ? "failed" : "ok";
    switch (random(5)) {
      case 0:
      case 1:
        return { ...call, type: "read", key, value, outcome: "ok" };
      case 2:
        return { ...call, type: "write", key, value, outcome: isUnknown ? "unknown" : "ok" };
      case 3:
        return { ...call, type: "cas", key, expected: anyValue(), value, outcome };
      default: {
        const [required, set] = [assignments(random(3)), assignments(random(3))];
        return { ...call, type: "txn", required, set, outcome };
      }
    }
  });
}

/** Answers of a right store to calls that overlap a lot, with one of them changed now and then. */
function plausibleHistory(random: Random, countMax = 8): readonly Operation[] {
  const calls = arbitraryHistory(random, countMax);
  const changed = random(2 * calls.length);
  const spread = 4 + random(24);
  let store: ReadonlyMap<string, Json> = new Map();
  return calls.map((call, at): Operation => {
    const times = { start: 3 * at - random(spread), end: 3 * at + random(spread) };
    const found = call.type === "txn" ? null : (store.get(call.key) ?? null);
    const operation: Operation = { ...call, ...times };
    if (operation.type === "read")
      return { ...operation, outcome: "ok", value: at === changed ? 1 : found };
    const fitting =
      operation.type === "cas" && random(3) > 0 ? { ...operation, expected: found } : operation;
    const done: Operation = { ...fitting, outcome: "ok" };
    const next = act(store, done);
    const isLost = operation.outcome === "unknown";
    // Half of what is unknown takes no effect.
    if (next !== undefined && !(isLost && random(2) === 0)) store = next;
    if (isLost) return { ...fitting, outcome: "unknown" };
    if (next !== undefined || fitting.type === "write") return done;
    return { ...fitting, outcome: "failed" };
  });
}

function smallHistory(seed: number): readonly Operation[] {
  const random = createRandom(seed);
  return withoutEnd(seed % 2 === 0 ? arbitraryHistory(random) : plausibleHistory(random));
}

/** What an operation does to a store, written once more and as plainly as can be. */
function act(store: ReadonlyMap<string, Json>, operation: Operation) {
  const at = (key: string) => store.get(key) ?? null;
  const holds = (list: readonly Assignment[]) => list.every(({ key, value }) => at(key) === value);
  const isRefuted = operation.outcome === "failed";
  const having = (required: readonly Assignment[], set: readonly Assignment[]) => {
    if (holds(required) === isRefuted) return undefined;
    const changes = isRefuted ? [] : set.map(({ key, value }): [string, Json] => [key, value]);
    return new Map([...store, ...changes]);
  };
  switch (operation.type) {
    case "read":
      return operation.outcome === "ok" ? having([operation], []) : undefined;
    case "write":
      return having([], [operation]);
    case "cas":
      return having([{ key: operation.key, value: operation.expected }], [operation]);
    case "txn":
      return having(operation.required, operation.set);
  }
}

/** Tries every order. An unknown operation may take effect, but not after something that starts after its end. */
function isExplicable(
  history: readonly Operation[],
  store: ReadonlyMap<string, Json>,
  latestStart = Number.NEGATIVE_INFINITY,
): boolean {
  const required = history.filter(({ outcome }) => outcome !== "unknown");
  if (required.length === 0) return true;
  const deadline = Math.min(...required.map(({ end }) => end));
  return history.some((operation) => {
    if (operation.start > deadline || operation.end < latestStart) return false;
    const next = act(store, operation);
    const latest = Math.max(latestStart, operation.start);
    return next !== undefined && isExplicable(without(history, operation), next, latest);
  });
}

/** Without its answer an operation may take effect at any later time. */
function withoutEnd(history: readonly Operation[]): readonly Operation[] {
  return history.map((each) => (each.outcome === "unknown" ? { ...each, end: Infinity } : each));
}

function without(history: readonly Operation[], operation: Operation): readonly Operation[] {
  return history.filter((each) => each !== operation);
}

/** Replays what is told to be an order, and gives what is wrong with it. */
function faultOf(history: readonly Operation[], order: readonly string[]): string | undefined {
  let store: ReadonlyMap<string, Json> = new Map();
  let latestStart = Number.NEGATIVE_INFINITY;
  for (const id of order) {
    const operation = history.find((each) => each.id === id);
    if (operation === undefined) return `${id} is not in the history`;
    if (operation.outcome !== "unknown" && operation.end < latestStart) return `${id} is late`;
    latestStart = Math.max(latestStart, operation.start);
    const next = act(store, operation);
    if (next === undefined) return `${id} does not fit`;
    store = next;
  }
  return undefined;
}

/** Of what comes before a window nothing is known: any values may be there. */
function isExplicableFrom(window: readonly Operation[], before: "absent" | "any"): boolean {
  if (before === "absent") return isExplicable(window, new Map());
  const keys = [
    ...new Set(
      window.flatMap((each) =>
        each.type === "txn" ? [...each.required, ...each.set].map(({ key }) => key) : [each.key],
      ),
    ),
  ];
  let stores: readonly ReadonlyMap<string, Json>[] = [new Map()];
  for (const key of keys) {
    stores = stores.flatMap((store) =>
      [null, 1, 2, "x", "other"].map((value) => new Map([...store, [key, value]])),
    );
  }
  return stores.some((store) => isExplicable(window, store));
}

/** The window without one answer. */
function loosened(window: readonly Operation[], operation: Operation): readonly Operation[] {
  const rest = without(window, operation);
  if (operation.type === "read" || operation.outcome === "failed") return rest;
  if (operation.type === "txn" && operation.set.length === 0) return rest;
  return [...rest, { ...operation, outcome: "unknown", end: Infinity }];
}

const historyCount = 2_000;
/** Searches take what they take on a busy machine. */
const slow = { timeout: 60_000 };
const firstSeed = Number(process.env["LINEARIZABILITY_SEED"] ?? 1);

test("both engines say of small histories what trying every order says", slow, () => {
  const counts = { right: 0, wrong: 0 };
  for (let seed = firstSeed; seed < firstSeed + historyCount; seed += 1) {
    const history = smallHistory(seed);
    const models = compile(history);
    const isRight = isExplicable(history, new Map());
    counts[isRight ? "right" : "wrong"] += 1;
    const found = models.every((model) => findOrder(model).type === "order");
    const swept = models.every((model) => sweep(model).type === "possible");
    expect({ seed, found, swept }).toEqual({ seed, found: isRight, swept: isRight });
  }
  expect(Math.min(counts.right, counts.wrong)).toBeGreaterThan(historyCount / 10);
});

test("both engines say the same of histories with too many orders to try", slow, () => {
  const counts = { right: 0, wrong: 0 };
  for (let seed = firstSeed; seed < firstSeed + historyCount; seed += 1) {
    const models = compile(withoutEnd(plausibleHistory(createRandom(seed), 20)));
    const found = models.every((model) => findOrder(model).type === "order");
    const swept = models.every((model) => sweep(model).type === "possible");
    counts[found ? "right" : "wrong"] += 1;
    expect({ seed, found }).toEqual({ seed, found: swept });
  }
  expect(Math.min(counts.right, counts.wrong)).toBeGreaterThan(historyCount / 10);
});

test("an order that is told explains all answers", slow, () => {
  for (let seed = firstSeed; seed < firstSeed + historyCount; seed += 1) {
    const history = smallHistory(seed);
    const verdict = checkLinearizable(history);
    if (verdict.type !== "linearizable") continue;
    const told = new Set(verdict.orders.flat());
    const isTold = ({ id, outcome, type }: Operation) =>
      outcome === "unknown" || told.has(id) || type === "txn";
    expect(history.every(isTold)).toBe(true);
    for (const order of verdict.orders)
      expect({ seed, fault: faultOf(history, order) }).toEqual({ seed });
  }
});

test("a window contradicts itself, and needs each of its answers", slow, () => {
  for (let seed = firstSeed; seed < firstSeed + historyCount; seed += 1) {
    const verdict = checkLinearizable(smallHistory(seed));
    if (verdict.type !== "violation") continue;
    const { before } = verdict;
    const window = withoutEnd(verdict.window);
    expect({ seed, explicable: isExplicableFrom(window, before) }).toEqual({
      seed,
      explicable: false,
    });
    const needless = window
      .filter(({ outcome }) => outcome !== "unknown")
      .filter((operation) => !isExplicableFrom(loosened(window, operation), before));
    expect({ seed, needless }).toEqual({ seed, needless: [] });
  }
});

test("the answers of a window contradict each other whatever else was done", slow, () => {
  for (let seed = firstSeed; seed < firstSeed + historyCount; seed += 1) {
    const history = smallHistory(seed);
    const verdict = checkLinearizable(history);
    if (verdict.type !== "violation") continue;
    const window = withoutEnd(verdict.window);
    const ids = new Set(window.map(({ id }) => id));
    // What the window leaves out took place in its own time, or not at all.
    const others = history.flatMap((each): Operation[] => {
      const isMute = each.type === "read" || each.outcome === "failed";
      return isMute || ids.has(each.id) ? [] : [{ ...each, outcome: "unknown" }];
    });
    const explicable = isExplicable([...window, ...others], new Map());
    expect({ seed, explicable }).toEqual({ seed, explicable: false });
  }
});

interface Load {
  readonly clients: number;
  readonly keys: number;
  readonly operations: number;
  readonly unknownPercent: number;
  readonly valueCount?: number;
}

/** A history of a store that is right: each operation takes effect at a moment between its start and its end. */
function rightHistory(random: Random, load: Load): Operation[] {
  const store = new Map<string, Json>();
  const free = Array.from({ length: load.clients }, () => 0);
  const plans = Array.from({ length: load.operations }, (_, at) => {
    const client = random(load.clients);
    const start = (free[client] ?? 0) + 1 + random(20);
    const [point, end] = [start + random(50), start + 50 + random(50)];
    free[client] = end;
    return { id: `o${at}`, start, point, end, key: `k${random(load.keys)}`, kind: random(4) };
  });
  plans.sort((a, b) => a.point - b.point);
  return plans.map(({ id, start, end, key, kind }, at): Operation => {
    const found = store.get(key) ?? null;
    const call = { id, key, start, end };
    if (kind < 2) return { ...call, type: "read", outcome: "ok", value: found };
    const value = load.valueCount === undefined ? at : random(load.valueCount);
    const isUnknown = random(100) < load.unknownPercent;
    const expected = random(2) === 0 ? found : "never";
    const isRefuted = kind === 3 && expected === "never";
    // Half of what is unknown never took effect.
    if (!isRefuted && !(isUnknown && random(2) === 0)) store.set(key, value);
    const outcome = isUnknown ? "unknown" : "ok";
    if (kind === 2) return { ...call, type: "write", value, outcome };
    return {
      ...call,
      type: "cas",
      expected,
      value,
      outcome: isRefuted && !isUnknown ? "failed" : outcome,
    };
  });
}

const loads: readonly (Load & { readonly name: string })[] = [
  { name: "many keys", clients: 8, keys: 100, operations: 10_000, unknownPercent: 5 },
  { name: "one key", clients: 8, keys: 1, operations: 3_000, unknownPercent: 5 },
  {
    name: "repeated values",
    clients: 8,
    keys: 10,
    operations: 5_000,
    unknownPercent: 2,
    valueCount: 5,
  },
  { name: "many clients", clients: 30, keys: 5, operations: 3_000, unknownPercent: 5 },
];

test.each(loads)("a right store passes: $name", slow, (load) => {
  for (const seed of [1, 2, 3]) {
    expect(checkLinearizable(rightHistory(createRandom(seed), load)).type).toBe("linearizable");
  }
});

test.each(loads.filter(({ valueCount }) => valueCount === undefined))(
  "a stale read is found at the end of a long history: $name",
  slow,
  (load) => {
    const history = rightHistory(createRandom(4), load);
    const end = Math.max(...history.map((each) => each.end));
    const written = history.filter(({ type, outcome }) => type === "write" && outcome === "ok");
    const [old, newer] = pairOnOneKey(written);
    const stale = {
      ...old,
      id: "stale",
      type: "read",
      start: end + 1,
      end: end + 2,
      outcome: "ok",
    } as const;
    const verdict = checkLinearizable([...history, stale as Operation]);
    expect(verdict).toMatchObject({ type: "violation", keys: [newer.key], isConfirmed: true });
    if (verdict.type === "violation") expect(verdict.window.length).toBeLessThan(10);
  },
);

test.each(loads.filter(({ valueCount }) => valueCount === undefined))(
  "a lost write is found in a long history: $name",
  slow,
  (load) => {
    const history = rightHistory(createRandom(5), load);
    const end = Math.max(...history.map((each) => each.end));
    const key = "k0";
    const acknowledged: Operation = {
      id: "lost",
      type: "write",
      key,
      value: "lost",
      outcome: "ok",
      start: end + 1,
      end: end + 2,
    };
    const last = history.findLast((each) => each.type === "read" && each.key === key);
    const later = { ...last, id: "later", start: end + 3, end: end + 4 } as Operation;
    const verdict = checkLinearizable([...history, acknowledged, later]);
    expect(verdict).toMatchObject({ type: "violation", keys: [key], isConfirmed: true });
    if (verdict.type === "violation")
      expect(verdict.window.map(({ id }) => id)).toEqual(expect.arrayContaining(["lost", "later"]));
  },
);

/** Two writes of one key, the second of which began after the first had ended. */
function pairOnOneKey(written: readonly Operation[]) {
  for (const old of written) {
    const newer = written.find(
      (each) =>
        each.type === "write" &&
        old.type === "write" &&
        each.key === old.key &&
        each.start > old.end,
    );
    if (old.type === "write" && newer?.type === "write") return [old, newer] as const;
  }
  throw new Error("no key was written twice");
}
