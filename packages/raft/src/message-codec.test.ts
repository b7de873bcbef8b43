import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeConfiguration } from "./configuration-codec.ts";
import type { Message } from "./message.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { configurationOf } from "./testing.ts";

const number = fc.oneof(fc.nat(100), fc.nat(Number.MAX_SAFE_INTEGER - 100));
const mult = fc.double({ min: 1, max: 10, noNaN: true });
const data = fc.uint8Array({ maxLength: 40 });
const id = fc.stringMatching(/^[!-~]{1,40}$/);
const optional = fc.option(number);
const configuration = fc
  .tuple(fc.uniqueArray(id, { minLength: 1, maxLength: 5 }), fc.nat(4))
  .map(([ids, count]) => configurationOf(ids.slice(0, count + 1), ids.slice(count + 1)));
const entryData = fc.oneof(
  data.map((bytes) => Uint8Array.from([1, ...bytes])),
  data.map((bytes) => Uint8Array.from([3, ...bytes])),
  configuration.map((each) => Uint8Array.from([2, ...encodeConfiguration(each)])),
);

const content: fc.Arbitrary<Record<string, unknown>> = fc.oneof(
  fc.record({
    type: fc.constant("requestVote"),
    preVote: fc.boolean(),
    transfer: fc.boolean(),
    lastIndex: number,
    lastTerm: number,
  }),
  fc.record({ type: fc.constant("voteResponse"), preVote: fc.boolean(), granted: fc.boolean() }),
  fc.record({
    type: fc.constant("appendResponse"),
    round: number,
    matchIndex: optional,
    rejectedIndex: number,
    hintIndex: number,
    hintTerm: number,
  }),
  fc.record({
    type: fc.constant("heartbeat"),
    commitIndex: number,
    round: number,
    timeoutMult: mult,
  }),
  fc.record({ type: fc.constant("heartbeatResponse"), round: number, timeoutMult: mult }),
  fc.record({
    type: fc.constant("snapshotResponse"),
    index: number,
    offset: number,
    installed: fc.boolean(),
    round: number,
  }),
  fc.record({ type: fc.constant("timeoutNow") }),
  fc.record({ type: fc.constant("readIndex"), id: number }),
  fc.record({ type: fc.constant("readIndexResponse"), id: number, index: optional }),
);

const append = fc
  .tuple(number, fc.nat(50), fc.array(fc.tuple(fc.nat(2), entryData), { maxLength: 5 }), number)
  .map(([prevIndex, prevTerm, list, commitIndex]) => {
    let term = prevTerm;
    const entries = list.map(([more, bytes], at) => {
      term += more;
      return { index: prevIndex + 1 + at, term, data: bytes };
    });
    return { type: "append", term: 100, prevIndex, prevTerm, entries, commitIndex, round: 7 };
  });

const chunk = fc.tuple(configuration, data, fc.boolean()).map(([members, bytes, done]) => ({
  type: "snapshotChunk",
  term: 9,
  snapshot: { index: 5, term: 4, configuration: members },
  offset: 3,
  data: bytes,
  done,
  round: 2,
}));

const messages = fc
  .tuple(id, id, number, fc.oneof(content, append, chunk))
  .map(([from, to, term, rest]) => ({ from, to, term, ...rest }) as Message);

test("what is decoded is what was encoded", () => {
  fc.assert(
    fc.property(messages, (message) => {
      expect(decodeMessage(encodeMessage(message))).toEqual(message);
    }),
    { numRuns: 1000 },
  );
});

test("a message has one encoding: whatever is decoded encodes to the same bytes", () => {
  fc.assert(
    fc.property(messages, fc.nat(), fc.nat(255), (message, at, byte) => {
      const bytes = encodeMessage(message);
      bytes[at % bytes.length] = byte;
      const decoded = decodeMessage(bytes);
      if (decoded !== null) expect(encodeMessage(decoded)).toEqual(bytes);
    }),
    { numRuns: 1000 },
  );
});

test("bytes that are cut off or go on are no message", () => {
  fc.assert(
    fc.property(messages, fc.nat(), (message, length) => {
      const bytes = encodeMessage(message);
      expect(decodeMessage(bytes.subarray(0, length % bytes.length))).toBe(null);
      expect(decodeMessage(Uint8Array.from([...bytes, 0]))).toBe(null);
    }),
  );
});

test("random bytes never throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(12), (bytes, tag) => {
      const head = Uint8Array.from([tag, 1, 97, 1, 98, ...bytes]);
      for (const each of [bytes, head]) {
        const decoded = decodeMessage(each);
        if (decoded !== null) expect(encodeMessage(decoded)).toEqual(each);
      }
    }),
    { numRuns: 2000 },
  );
});

const heartbeat: Message = {
  type: "heartbeat",
  from: "a",
  to: "b",
  term: 1,
  commitIndex: 1,
  round: 1,
  timeoutMult: 1,
};

test.each([
  { name: "a number of 2^53", message: { ...heartbeat, term: 2 ** 53 } },
  { name: "a negative number", message: { ...heartbeat, round: -1 } },
  { name: "an id with a space", message: { ...heartbeat, to: "b c" } },
  { name: "an empty id", message: { ...heartbeat, from: "" } },
])("$name is not encoded", ({ message }) => {
  expect(() => encodeMessage(message)).toThrow();
});

test.each([
  { name: "timeouts below 1", message: { ...heartbeat, timeoutMult: 0.5 } },
  { name: "timeouts above 10", message: { ...heartbeat, timeoutMult: 11 } },
  { name: "timeouts that are no number", message: { ...heartbeat, timeoutMult: Number.NaN } },
])("$name are not decoded", ({ message }) => {
  expect(decodeMessage(encodeMessage(message))).toBe(null);
});

const appended = (entries: { term: number; data: Uint8Array }[]): Message => ({
  type: "append",
  from: "a",
  to: "b",
  term: 5,
  prevIndex: 0,
  prevTerm: 2,
  commitIndex: 0,
  round: 0,
  entries: entries.map((entry, at) => ({ index: at + 1, ...entry })),
});

test.each([
  { name: "terms that fall", entries: [{ term: 1, data: Uint8Array.of(1) }] },
  { name: "a term above the leader's", entries: [{ term: 6, data: Uint8Array.of(1) }] },
  { name: "an entry without a kind", entries: [{ term: 3, data: Uint8Array.of() }] },
  { name: "an entry of an unknown kind", entries: [{ term: 3, data: Uint8Array.of(4) }] },
  { name: "a configuration that is none", entries: [{ term: 3, data: Uint8Array.of(2, 123) }] },
])("entries with $name are not decoded", ({ entries }) => {
  expect(decodeMessage(encodeMessage(appended(entries)))).toBe(null);
});

test("data of entries are views into the frame, not copies", () => {
  const bytes = encodeMessage(appended([{ term: 3, data: Uint8Array.of(1, 2, 3) }]));
  const decoded = decodeMessage(bytes);
  const buffers = decoded?.type === "append" ? decoded.entries.map((each) => each.data.buffer) : [];
  expect(buffers).toEqual([bytes.buffer]);
  expect(buffers[0]).toBe(bytes.buffer);
});
