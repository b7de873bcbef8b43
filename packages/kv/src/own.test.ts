import { expect, test } from "vitest";
import { Batch } from "./batch.ts";
import { ownTransaction, parseWriteRequest } from "./request.ts";
import { SnapshotReader, snapshotChunks } from "./snapshot.ts";
import { emptyKv, type KvState } from "./state.ts";

const stamp = { logTime: 1, wallTime: 1 };

function announced(): KvState {
  const batch = new Batch(emptyKv, stamp);
  batch.add(ownTransaction('{"/.agency":{"op":"set","new":{"term":1}}}'));
  return batch.state;
}

function after(state: KvState, ...bodies: readonly string[]): Batch {
  const batch = new Batch(state, stamp);
  for (const body of bodies) {
    const request = parseWriteRequest(body);
    if (!request.ok) throw new Error(request.message);
    for (const write of request.writes) batch.add(write);
  }
  return batch;
}

test.each([
  {
    name: "deleted, then set to an object",
    bodies: ['[[{"/":{"op":"delete"}}]]', '[[{"/":{"op":"set","new":{}}}]]'],
  },
  { name: "set to another object", bodies: ['[[{"/":{"op":"set","new":{"a":1}}}]]'] },
  {
    name: "a number, then an object",
    bodies: ['[[{"/":{"op":"increment"}}]]', '[[{"/":{"op":"set","new":{}}}]]'],
  },
  { name: "an array, then written below", bodies: ['[[{"/":[1]}]]', '[[{"/a":1}]]'] },
])("what the store itself wrote stays when the root is $name", ({ bodies }) => {
  expect(after(announced(), ...bodies).read(["/.agency"])).toBe('{".agency":{"term":1}}');
});

test("what the store itself wrote goes with the root when that is deleted", () => {
  const batch = after(announced(), '[[{"/":{"op":"delete"}}]]', '[[{"/a":1}]]');
  expect(batch.read(["/.agency"])).toBe("{}");
});

test("what the store itself wrote comes back after a snapshot of a root that is no object", () => {
  const reader = new SnapshotReader();
  for (const chunk of snapshotChunks(after(announced(), '[[{"/":7}]]').state)) reader.push(chunk);
  const read = after(reader.finish(), '[[{"/":{}}]]').read(["/.agency"]);
  expect(read).toBe('{".agency":{"term":1}}');
});
