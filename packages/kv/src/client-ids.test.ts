import { expect, test } from "vitest";
import { generationSize, inquire, withClientId } from "./client-ids.ts";
import { emptyKv } from "./state.ts";
import { Machine } from "./testing.ts";
import { Edit } from "./tree.ts";

test("an id is answered with the highest index that carries it, in the order asked", () => {
  const machine = new Machine();
  machine.post("write", '[[{"/a":1},{},"x"],[{"/a":2},{},"y"],[{"/a":3},{},"x"]]');
  expect(machine.post("inquire", '["y","none","x"]')).toEqual({
    status: 404,
    body: '{"results":[3,0,4],"inquired":true}',
  });
  expect(machine.post("inquire", "[]").body).toBe('{"results":[],"inquired":true}');
});

test("a transaction that was not applied leaves no trace of its id", () => {
  const machine = new Machine();
  machine.post("write", '[[{"/a":1},{"/a":9},"x"],[{"/a":{"op":"bs"}},{},"y"]]');
  expect(machine.post("inquire", '["x","y"]').status).toBe(404);
});

test("an empty id is none", () => {
  const machine = new Machine();
  machine.post("write", '[[{"/a":1},{},""]]');
  expect(machine.entries.at(-1)).toBe('[2,1000000,1000000,[{"/a":1}]]');
});

test("at least the last generation of ids is known, and at most two", () => {
  const edit = new Edit();
  let { clientIds } = emptyKv;
  for (let i = 1; i <= 2 * generationSize + 1; i++) {
    clientIds = withClientId(clientIds, `id-${i}`, i, edit);
  }
  const state = { ...emptyKv, clientIds };
  const asked = [1, generationSize, generationSize + 1, 2 * generationSize, 2 * generationSize + 1];
  expect(
    inquire(
      state,
      asked.map((i) => `id-${i}`),
    ),
  ).toEqual([0, 0, ...asked.slice(2)]);
});

test("an id that is known already makes no others forgotten", () => {
  const edit = new Edit();
  let { clientIds } = emptyKv;
  for (let i = 1; i <= generationSize; i++) {
    clientIds = withClientId(clientIds, `id-${i}`, i, edit);
  }
  const { old } = withClientId(clientIds, "id-7", 99_999, edit);
  expect(old.size).toBe(0);
});
