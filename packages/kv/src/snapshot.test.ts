import { describe, expect, test } from "vitest";
import { stateDigest } from "./dump.ts";
import { applyEntry } from "./entry.ts";
import { SnapshotReader, snapshotChunks } from "./snapshot.ts";
import { emptyKv, type KvState } from "./state.ts";
import { Machine } from "./testing.ts";

function restored(chunks: Iterable<string>): KvState {
  const reader = new SnapshotReader();
  for (const chunk of chunks) reader.push(chunk);
  return reader.finish();
}

/** A state of several pieces, with a large object on two levels. */
function large(): KvState {
  const machine = new Machine();
  const members = Array.from({ length: 3000 }, (_, i) => [`k${i}`, "x".repeat(40)]);
  const flat = JSON.stringify(Object.fromEntries(members));
  machine.post("write", `[[{"/flat":${flat},"/deep/er":${flat},"/e":{}},{},"id"]]`);
  machine.post(
    "write",
    '[[{"/t":{"op":"set","new":1,"ttl":9}}],[{"/o":{"op":"observe","url":"u"}}]]',
  );
  return machine.state;
}

describe("a snapshot", () => {
  test("comes in pieces of a bounded length that together are the state", () => {
    const state = large();
    const chunks = [...snapshotChunks(state)];
    expect(chunks.length).toBeGreaterThan(6);
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThan(66_000);
    expect(stateDigest(restored(chunks))).toBe(stateDigest(state));
    expect(restored(snapshotChunks(emptyKv))).toEqual(emptyKv);
  });

  test.each(["null", "0", "[]", "{}", '""', "false"])("keeps a root that is %s", (root) => {
    const machine = new Machine();
    machine.post("write", `[[{"/":{"op":"delete"}}],[{"/":{"op":"set","new":${root}}}]]`);
    expect(stateDigest(restored(snapshotChunks(machine.state)))).toBe(stateDigest(machine.state));
  });

  test("is of the state as it was when it was taken, whatever is written meanwhile", () => {
    const machine = new Machine();
    machine.post("write", '[[{"/a":1}]]');
    const digest = stateDigest(machine.state);
    const chunks = snapshotChunks(machine.state)[Symbol.iterator]();
    const first = chunks.next().value ?? "";
    machine.post("write", '[[{"/a":2}]]');
    expect(stateDigest(restored([first, ...{ [Symbol.iterator]: () => chunks }]))).toBe(digest);
  });

  const chunks = [...snapshotChunks(large())];
  const [head = "", first = ""] = chunks;
  const end = chunks.at(-1) ?? "";

  test.each([
    ["has no end", chunks.slice(0, -1)],
    ["lacks a piece", chunks.toSpliced(2, 1)],
    ["has a piece twice", chunks.toSpliced(2, 0, chunks[2] ?? "")],
    ["has something after its end", [...chunks, first]],
    ["has no head", chunks.slice(1)],
    ["has two heads", [head, ...chunks]],
    ["is of another format", [head.replace(",1,", ",2,"), ...chunks.slice(1)]],
    ["has a negative index", ['["halon-kv",1,-1,0,0,0]', ...chunks.slice(1)]],
    ["has a piece that is cut off", chunks.with(1, first.slice(0, -1))],
    ["has a piece of an unknown part", chunks.with(1, '["trees",{}]')],
    ["lacks a part", [head, first, '["end",2]']],
    ["is empty", []],
    ["is only an end", [end]],
  ])("that %s is refused", (_, damaged) => {
    expect(() => restored(damaged)).toThrow();
  });
});

describe("an entry", () => {
  test.each([
    "",
    "[]",
    "[1,0]",
    '[2,0,0,[{"/a":1}]]',
    '[1,-1,0,[{"/a":1}]]',
    '[1,0.5,0,[{"/a":1}]]',
    '[1,0,0,[{"/a":1}]',
    '[1,0,0,[{"/a":1}]] ',
    '[1,0,0,[{"/a":1}]]x',
    '[1,0,0,[{"/a":1},5]]',
    '[1,0,0,[{"/a":1},"id",1]]',
    '[1,0,0,{"/a":1}]',
    '[1,0,0,[{"/a":{"op":"bs"}}]]',
  ])("%j is refused unless it is one", (text) => {
    const apply = () => applyEntry(emptyKv, text);
    if (text === '[1,0,0,[{"/a":1}]] ') expect(apply().state.index).toBe(1);
    else expect(apply).toThrow();
  });

  test("must not be older than the state", () => {
    const { state } = applyEntry(emptyKv, '[1,5,0,[{"/a":1}]]');
    expect(() => applyEntry(state, '[2,4,0,[{"/a":1}]]')).toThrow("does not follow");
    expect(applyEntry(state, '[2,5,0,[{"/a":1}]]').state.index).toBe(2);
  });
});
