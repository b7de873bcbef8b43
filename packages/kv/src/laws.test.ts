import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Batch } from "./batch.ts";
import { dumpStore, stateDigest } from "./dump.ts";
import { applyEntry, decodeEntry } from "./entry.ts";
import { parseWriteRequest } from "./request.ts";
import { SnapshotReader, snapshotChunks } from "./snapshot.ts";
import { emptyKv, type KvState } from "./state.ts";
import type { WriteTransaction } from "./transaction.ts";

const paths = [
  "/",
  "/a",
  "a//b",
  "/a/b",
  "/a/b/c",
  "/a/b/d",
  "/d",
  "/__proto__",
  "/__proto__/x",
  "/constructor/prototype",
  "/toString",
];

const leaf = fc.constantFrom<unknown>(0, 1, -7, 2.5, 1e300, "x", "", null, true, false);
const value = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, leaf, fc.array(tie("value"), { maxLength: 3 }), tie("object")),
  object: fc
    .array(fc.tuple(fc.constantFrom("b", "c", "__proto__", "op", "e/f", ""), tie("value")), {
      maxLength: 3,
    })
    .map(Object.fromEntries),
})).value;

const list = fc.array(leaf, { maxLength: 4 });
const by = fc.constantFrom("me", "you");
const url = fc.constantFrom("http://h/1", "http://h/2");

const operation = fc.oneof(
  value,
  fc.record({ op: fc.constant("set"), new: fc.oneof(value, list) }),
  fc.record({ op: fc.constant("set"), new: value, ttl: fc.integer({ min: -1, max: 5 }) }),
  fc.record({ op: fc.constantFrom("delete", "increment", "decrement", "pop", "shift", "bad") }),
  fc.record({ op: fc.constantFrom("push", "prepend"), new: value }),
  fc.record({ op: fc.constant("erase"), val: leaf }),
  fc.record({ op: fc.constant("erase"), pos: fc.integer({ min: -1, max: 3 }) }),
  fc.record({ op: fc.constant("replace"), val: leaf, new: value }),
  fc.record({ op: fc.constant("push-queue"), new: leaf, len: fc.integer({ min: -1, max: 3 }) }),
  fc.record({ op: fc.constantFrom("read-lock", "read-unlock", "write-lock", "write-unlock"), by }),
  fc.record({ op: fc.constantFrom("observe", "unobserve"), url }),
);

const precondition = fc.oneof(
  leaf,
  fc.record({ oldEmpty: fc.boolean() }),
  fc.record({ isArray: fc.boolean() }),
  fc.record({ old: value }),
  fc.record({ oldNot: value }),
  fc.record({ in: leaf }),
);

function byPath(of: fc.Arbitrary<unknown>, minLength: number): fc.Arbitrary<object> {
  return fc
    .array(fc.tuple(fc.constantFrom(...paths), of), { minLength, maxLength: 3 })
    .map(Object.fromEntries);
}

const transaction = fc
  .tuple(
    byPath(operation, 1),
    fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, byPath(precondition, 0)),
    fc.constantFrom("", "id-1", "id-2"),
  )
  .map((parts) => JSON.stringify(parts));

/** Batches, each after a pause in ms. */
const history = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 2500 }), fc.array(transaction, { maxLength: 6 })),
  { maxLength: 8 },
);

function parse(text: string): WriteTransaction {
  const request = parseWriteRequest(`[${text}]`);
  const [write] = request.ok ? request.writes : [];
  if (write === undefined) throw new Error(JSON.stringify(request));
  return write;
}

function stampAt(logTime: number) {
  return { logTime, wallTime: logTime + 1_000_000 };
}

function restored(state: KvState): KvState {
  const reader = new SnapshotReader();
  for (const chunk of snapshotChunks(state)) reader.push(chunk);
  return reader.finish();
}

describe("a history of batches", () => {
  test("gives a follower exactly the state of the leader, from the entries alone", () => {
    fc.assert(
      fc.property(history, (batches) => {
        let leader = emptyKv;
        let follower = emptyKv;
        let now = 0;
        for (const [pause, texts] of batches) {
          now += pause;
          const batch = new Batch(leader, stampAt(now));
          for (const text of texts) batch.add(parse(text));
          const entry = batch.entry();
          if (entry === null) {
            expect(batch.state).toBe(leader);
            continue;
          }
          leader = batch.state;
          const applied = applyEntry(follower, entry);
          follower = applied.state;
          expect(stateDigest(follower)).toBe(stateDigest(leader));
          expect(dumpStore(follower, stampAt(now))).toBe(dumpStore(leader, stampAt(now)));
          expect(applied.notifications).toEqual(batch.notifications);
        }
      }),
    );
  });

  test("changes no state that was given out", () => {
    fc.assert(
      fc.property(history, (batches) => {
        const given: [state: KvState, digest: string][] = [];
        let state = emptyKv;
        let now = 0;
        for (const [pause, texts] of batches) {
          now += pause;
          const batch = new Batch(state, stampAt(now));
          for (const text of texts) {
            batch.add(parse(text));
            given.push([batch.state, stateDigest(batch.state)]);
          }
          state = batch.state;
        }
        for (const [old, digest] of given) expect(stateDigest(old)).toBe(digest);
      }),
    );
  });

  test("is restored from a snapshot as it is, and goes on alike", () => {
    fc.assert(
      fc.property(history, transaction, (batches, last) => {
        let state = emptyKv;
        let now = 0;
        for (const [pause, texts] of batches) {
          now += pause;
          const batch = new Batch(state, stampAt(now));
          for (const text of texts) batch.add(parse(text));
          state = batch.state;
        }
        const copy = restored(state);
        expect(copy).toMatchObject({ index: state.index, logTime: state.logTime });
        expect(stateDigest(copy)).toBe(stateDigest(state));
        const next = [state, copy].map((one) => new Batch(one, stampAt(now + 1000)));
        const outcomes = next.map((batch) => batch.add(parse(last)));
        expect(outcomes[1]).toEqual(outcomes[0]);
        expect(new Set(next.map((batch) => stateDigest(batch.state))).size).toBe(1);
      }),
    );
  });
});

describe("a transaction", () => {
  test("that is not applied has changed nothing", () => {
    fc.assert(
      fc.property(fc.array(transaction, { maxLength: 8 }), byPath(operation, 1), (texts, last) => {
        const batch = new Batch(emptyKv, stampAt(5));
        for (const text of texts) batch.add(parse(text));
        const before = stateDigest(batch.state);
        const { count } = batch;
        // Sorted behind all other paths, so everything before it has been carried out when it is refused.
        const outcome = batch.add(parse(JSON.stringify([{ ...last, "/zz": { op: "bad" } }])));
        expect(outcome).toEqual({ type: "rejected" });
        expect(stateDigest(batch.state)).toBe(before);
        expect(batch.count).toBe(count);
      }),
    );
  });

  test("has the same effect in a batch of its own as in one with others", () => {
    fc.assert(
      fc.property(fc.array(transaction, { maxLength: 10 }), (texts) => {
        const together = new Batch(emptyKv, stampAt(5));
        const outcomes = texts.map((text) => together.add(parse(text)));
        let state: KvState = emptyKv;
        const apart = texts.map((text) => {
          const batch = new Batch(state, stampAt(5));
          const outcome = batch.add(parse(text));
          state = batch.state;
          return outcome;
        });
        expect(apart).toEqual(outcomes);
        expect(stateDigest(state)).toBe(stateDigest(together.state));
      }),
    );
  });

  test("can be the last of an entry that is applied", () => {
    fc.assert(
      fc.property(fc.array(transaction, { minLength: 1, maxLength: 6 }), fc.nat(6), (texts, n) => {
        const batch = new Batch(emptyKv, stampAt(5));
        const states = [batch.state];
        for (const text of texts) {
          if (batch.add(parse(text)).type === "applied") states.push(batch.state);
        }
        const entry = batch.entry();
        if (entry === null) return;
        const last = Math.min(n, batch.count);
        const { state } = applyEntry(emptyKv, entry, last);
        expect(stateDigest(state)).toBe(
          stateDigest({ ...(states[last] ?? emptyKv), ...stampAt(5) }),
        );
        expect(decodeEntry(entry).transactions.map(({ index }) => index)).toEqual(
          states.slice(1).map(({ index }) => index),
        );
      }),
    );
  });
});
