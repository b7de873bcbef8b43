import { describe, expect, test } from "vitest";
import { Machine } from "./testing.ts";

/** Carries out one operation on `/v`, and tells whether it was applied and what `/v` holds then. */
function after(old: string | null, operation: string): readonly [applied: boolean, now: string] {
  const machine = new Machine();
  machine.post("write", `[[{"/":{}}]]`);
  if (old !== null) machine.post("write", `[[{"/v":${old}}]]`);
  const answer = machine.post("write", `[[{"/v":${operation}}]]`);
  expect(answer.status).toBe(200);
  const [index] = JSON.parse(answer.body).results;
  return [index > 0, machine.post("read", '[["/v"]]').body];
}

function shows(value: string | null): string {
  return value === null ? "[{}]" : `[{"v":${value}}]`;
}

const rows: readonly [operation: string, old: string | null, now: string | null | "refused"][] = [
  ['{"op":"set","new":{"op":"x","new":1}}', "1", '{"new":1,"op":"x"}'],
  ['{"op":"set"}', "1", "refused"],
  ['{"new":5}', "1", '{"new":5}'],
  ['{"op":"delete"}', "1", null],
  ['{"op":"delete"}', null, null],
  ['{"op":"decrement","step":3}', "1", "-2"],
  ['{"op":"increment","step":"x"}', "[1]", "1"],
  ['{"op":"push"}', "[1]", "refused"],
  ['{"op":"push","new":null}', "1", "[null]"],
  ['{"op":"prepend","new":[2]}', "[1]", "[[2],1]"],
  ['{"op":"prepend"}', "[1]", "refused"],
  ['{"op":"pop"}', "[1,2]", "[1]"],
  ['{"op":"pop"}', '{"a":1}', "[]"],
  ['{"op":"shift"}', "[1,2]", "[2]"],
  ['{"op":"shift"}', null, "[]"],
  ['{"op":"erase","val":1.0}', "[1,2,1]", "[2]"],
  ['{"op":"erase","val":{"b":2,"a":1}}', '[{"a":1,"b":2},3]', "[3]"],
  ['{"op":"erase","val":1}', null, null],
  ['{"op":"erase"}', "[1]", "refused"],
  ['{"op":"erase","val":1,"pos":0}', "[1]", "refused"],
  ['{"op":"erase","pos":1}', "[1,2,3]", "[1,3]"],
  ['{"op":"erase","pos":1}', "[1]", "refused"],
  ['{"op":"erase","pos":-1}', "[1]", "refused"],
  ['{"op":"erase","pos":0.5}', "[1]", "refused"],
  ['{"op":"erase","pos":0}', '"x"', "[]"],
  ['{"op":"replace","val":1,"new":[0]}', "[1,2,1]", "[[0],2,[0]]"],
  ['{"op":"replace","val":1}', "[1]", "refused"],
  ['{"op":"replace"}', null, null],
  ['{"op":"replace","val":1,"new":2}', "1", "[]"],
  ['{"op":"push-queue","new":3,"len":2}', "[1,2]", "[2,3]"],
  ['{"op":"push-queue","new":3,"len":0}', "[1,2]", "[]"],
  ['{"op":"push-queue","new":3,"len":1e15}', '"x"', "[3]"],
  ['{"op":"push-queue","new":3,"len":-1}', "[1]", "refused"],
  ['{"op":"push-queue","new":3,"len":1.5}', "[1]", "refused"],
  ['{"op":"push-queue","len":1}', "[1]", "refused"],
  ['{"op":"observe","url":"http://h"}', null, null],
  ['{"op":"observe","url":5}', "1", "1"],
  ['{"op":"read-lock","by":"a"}', null, '["a"]'],
  ['{"op":"read-lock","by":"a"}', "{}", '["a"]'],
  ['{"op":"read-lock","by":"b"}', '["a"]', '["a","b"]'],
  ['{"op":"read-lock","by":"a"}', '["a"]', "refused"],
  ['{"op":"read-lock","by":"a"}', "[1]", "refused"],
  ['{"op":"read-lock","by":"a"}', '"w"', "refused"],
  ['{"op":"read-lock","by":1}', null, "refused"],
  ['{"op":"read-unlock","by":"a"}', '["a","b"]', '["b"]'],
  ['{"op":"read-unlock","by":"a"}', '["a"]', null],
  ['{"op":"read-unlock","by":"a"}', '["b"]', "refused"],
  ['{"op":"read-unlock","by":"a"}', null, "refused"],
  ['{"op":"write-lock","by":"a"}', null, '"a"'],
  ['{"op":"write-lock","by":"a"}', '"a"', "refused"],
  ['{"op":"write-lock","by":"a"}', "[]", "refused"],
  ['{"op":"write-unlock","by":"a"}', '"a"', null],
  ['{"op":"write-unlock","by":"b"}', '"a"', "refused"],
  ['{"op":"write-unlock","by":"a"}', null, "refused"],
  ['{"op":"Set","new":2}', "1", "refused"],
  ['{"op":{},"new":2}', "1", "refused"],
  ['{"op":"toString"}', "1", "refused"],
];

describe("operators", () => {
  test.each(rows)("%s on %s gives %s", (operation, old, now) => {
    const [applied, text] = after(old, operation);
    expect(applied).toBe(now !== "refused");
    const left = JSON.parse(shows(now === "refused" ? old : now));
    expect(JSON.parse(text)).toEqual(left);
  });

  test("operations are carried out in the byte order of their paths", () => {
    const machine = new Machine();
    machine.post("write", '[[{"/a/b":1,"/a":{"c":2},"/a/\u{1f600}":3,"/a/\uffee":4}]]');
    expect(JSON.parse(machine.post("read", '[["/a"]]').body)).toEqual([
      { a: { b: 1, c: 2, "\u{1f600}": 3, "\uffee": 4 } },
    ]);
  });

  test("writing below a leaf makes it an object, and a delete leaves the parents", () => {
    const machine = new Machine();
    machine.post("write", '[[{"/a":[1]}],[{"/a/b/c":1}],[{"/a/b/c":{"op":"delete"}}]]');
    expect(machine.post("read", '[["/a"]]').body).toBe('[{"a":{"b":{}}}]');
  });

  test("keys with slashes below what is assigned are paths, and inside of arrays are not", () => {
    const machine = new Machine();
    machine.post("write", '[[{"/a":{"b//c/":{"d/e":1},"b":{"f":2},"g":[{"h/i":3}],"//":4}}]]');
    expect(JSON.parse(machine.post("read", '[["/a"]]').body)).toEqual([
      { a: { b: { c: { d: { e: 1 } }, f: 2 }, g: [{ "h/i": 3 }], "": 4 } },
    ]);
    const [leader, follower] = machine.digests();
    expect(follower).toBe(leader);
  });
});

describe("transactions that are refused", () => {
  test("have an index of 0 and no part in the status", () => {
    const machine = new Machine();
    const answer = machine.post("write", '[[{"/a":1}],[{"/a":2,"/b":{"op":"bs"}}],[{"/c":1}]]');
    const [first, second, third] = JSON.parse(answer.body).results;
    expect([answer.status, second, third - first]).toEqual([200, 0, 1]);
    expect(machine.post("read", '[["/a"]]').body).toBe('[{"a":1}]');
  });

  test("are answered with {} and 412 in a transact, failed preconditions with what is there", () => {
    const machine = new Machine();
    const body =
      '[[{"/a":1,"/b":2}],[{"/b":{"op":"bs"}}],[{"/c":1},{"/a":0,"/b":2,"/x/y":1}],["/a"]]';
    const answer = machine.post("transact", body);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([412, [2, {}, { a: 1 }, { a: 1 }]]);
  });
});
