import { expect, test } from "vitest";
import { decodeFrame, encode, FrameWriter } from "../link/frame.ts";
import { isSignal } from "../signal-shape.ts";
import { type Hello, helloMismatch, parseHello } from "./hello.ts";
import { backoffMs, lookAtPulse } from "./silence.ts";

const hello: Hello = {
  protocol: 1,
  cluster: "c",
  node: "node-1",
  incarnation: 3,
  class: "control",
  address: "127.0.0.1:1",
};

test("a hello is read as it was written", () => {
  expect(parseHello({ ...hello })).toEqual({ type: "hello", hello });
});

test.each([
  { change: { protocol: 2 }, why: "protocol 2 where 1 is spoken" },
  { change: { cluster: 4 }, why: "cluster 4 is no id" },
  { change: { node: "../x" }, why: 'node "../x" is no name' },
  { change: { incarnation: -1 }, why: "incarnation -1 is no number of starts" },
  { change: { class: "fast" }, why: 'class "fast" is not known' },
  { change: { address: "" }, why: 'address "" is no address' },
  { change: { extra: 1 }, why: 'unknown field "extra"' },
])("a hello with $change is refused, naming it", ({ change, why }) => {
  expect(parseHello({ ...hello, ...change })).toEqual({ type: "refused", why });
});

test.each([
  { own: { cluster: "d", node: "node-2" }, why: 'cluster "c" where this node is of "d"' },
  { own: { cluster: "c", node: "node-1" }, why: 'node "node-1" has the name of this node' },
  { own: { cluster: null, node: "node-2" }, why: null },
  { own: { cluster: "c", node: "node-2" }, why: null },
])("hellos of $own and the peer: $why", ({ own, why }) => {
  expect(helloMismatch({ ...hello, ...own }, hello)).toBe(why);
});

const limits = { lookEveryMs: 100, beatMs: 250, silentMs: 1_500 };
test.each([
  { name: "beats when idle", pulse: [900, 700, 900], beat: true, silentMs: null },
  { name: "needs no beat after traffic", pulse: [900, 800, 900], beat: false, silentMs: null },
  { name: "tells silence", pulse: [900, 900, -500], beat: false, silentMs: 1_500 },
  {
    name: "doubts itself when it looks late",
    pulse: [-500, 900, -500],
    beat: false,
    silentMs: null,
  },
])(
  "a look at a link $name",
  ({ pulse: [lookedAt = 0, sentAt = 0, receivedAt = 0], beat, silentMs }) => {
    const verdict = lookAtPulse({ lookedAt, sentAt, receivedAt }, 1_000, limits);
    expect(verdict).toMatchObject({ beat, silentMs });
  },
);

test("backoff doubles from 50 ms to 1 s, within a quarter", () => {
  expect([0, 1, 2, 9].map((attempt) => backoffMs(attempt, 0.5))).toEqual([50, 100, 200, 1_000]);
  expect([backoffMs(0, 0), backoffMs(9, 1)]).toEqual([37.5, 1_250]);
});

test("a frame holds what was added, in order, and is full at its bound", () => {
  const writer = new FrameWriter(20);
  expect(writer.add(encode([1]))).toBe(true);
  expect(writer.add(encode("0123456789"))).toBe(true);
  expect(writer.add(encode("ab"))).toBe(false);
  expect(decodeFrame(writer.take())).toEqual([[1], "0123456789"]);
  expect(writer.isEmpty).toBe(true);
});

test("one message over the bound fails its sender", () => {
  expect(() => new FrameWriter(20).add(encode("x".repeat(30)))).toThrow(
    expect.objectContaining({ code: "HAL_TOO_LARGE" }),
  );
});

test.each([
  { name: "noise", frame: [0xc1, 0xff, 0x00] },
  { name: "a list that claims to be huge", frame: [0xdd, 0xff, 0xff, 0xff, 0xff] },
  { name: "no list", frame: [0x01] },
  { name: "nesting without end", frame: new Array(1_000_000).fill(0x91) },
])("$name is no frame", ({ frame }) => {
  expect(decodeFrame(Uint8Array.from(frame))).toBe(null);
});

test.each([
  { signal: { type: "send", to: "node-1/1/2", from: "node-1/1/2.3", message: {} }, is: true },
  { signal: { type: "send", to: { name: "a" }, from: "node-1/1/2", message: null }, is: true },
  { signal: { type: "send", to: "nobody", from: "node-1/1/2", message: {} }, is: false },
  { signal: { type: "toString", to: "node-1/1/2" }, is: false },
  {
    signal: { type: "exit", to: "a/1/2", from: "a/1/2", reason: "bored", linked: true },
    is: false,
  },
  { signal: { type: "failure", to: "a/1/2", error: { code: "toString", message: "" } }, is: false },
  { signal: ["send"], is: false },
])("$signal is a signal: $is", ({ signal, is }) => {
  expect(isSignal(signal)).toBe(is);
});
