import { describe, expect, test } from "vitest";
import { Machine } from "./testing.ts";

const tree = '{"/":{"a":{"b":{"c":[1,{".x":2}]},"e":12},"d":false,".h":{"i":1,".j":2}}}';

function read(paths: readonly string[], write = tree): unknown {
  const machine = new Machine();
  machine.post("write", `[[${write}]]`);
  const answer = machine.post("read", JSON.stringify([paths]));
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body)[0];
}

const c = [1, { ".x": 2 }];

describe("reads", () => {
  test.each([
    { paths: ["/a/b"], answer: { a: { b: { c } } } },
    { paths: ["/a/b", "/a/b/c", "d"], answer: { a: { b: { c } }, d: false } },
    { paths: ["/a/b/c", "/a"], answer: { a: { b: { c }, e: 12 } } },
    { paths: ["/a/e", "/a/b/zz"], answer: { a: { b: {}, e: 12 } } },
    { paths: ["/a/x/y"], answer: { a: {} } },
    { paths: ["/y"], answer: {} },
    { paths: ["/a/e/f"], answer: { a: { e: {} } } },
    { paths: ["/a/b/c/0"], answer: { a: { b: { c: {} } } } },
    { paths: ["/a/e", "/a/e/f"], answer: { a: { e: 12 } } },
    { paths: ["/a/e/f", "/a/e"], answer: { a: { e: 12 } } },
    { paths: [""], answer: {} },
    { paths: ["", "/d"], answer: { d: false } },
    { paths: [], answer: {} },
    { paths: ["////"], answer: { a: { b: { c }, e: 12 }, d: false } },
    { paths: ["/.h"], answer: { ".h": { i: 1, ".j": 2 } } },
    { paths: ["/d", "/.none"], answer: { d: false } },
  ])("$paths", ({ paths, answer }) => {
    expect(read(paths)).toEqual(answer);
  });

  test("hide members with a leading dot on every level, but not what is in arrays", () => {
    expect(read(["/a", "/d"], '{"/":{"a":{".b":1,"c":[{".d":1}]}}}')).toEqual({
      a: { c: [{ ".d": 1 }] },
    });
    expect(read(["/a", "/.x"], '{"/":{"a":{".b":1}}}')).toEqual({ a: { ".b": 1 } });
  });

  test.each(["[1,2]", "5", "null", '"x"'])("the root can be %s", (root) => {
    expect(read(["/"], `{"/":${root}}`)).toEqual(JSON.parse(root));
    expect(read(["/a"], `{"/":${root}}`)).toEqual({});
  });

  test("of one request see one instant, those of a transact what was written before them", () => {
    const machine = new Machine();
    const body = '[["/x"],[{"/x":{"op":"increment"}}],["/x"],[{"/x":{"op":"increment"}}],["/x"]]';
    const answer = machine.post("transact", body);
    expect(JSON.parse(answer.body)).toEqual([{}, 2, { x: 1 }, 3, { x: 2 }]);
  });

  test("show members in an order that does not depend on how they came to be", () => {
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    const texts = [keys, keys.toReversed()].map((order) => {
      const machine = new Machine();
      machine.post("write", '[[{"/":{}}]]');
      for (const key of order) machine.post("write", `[[{"/o/${key}":1}]]`);
      machine.post("write", '[[{"/o/gone":1}],[{"/o/gone":{"op":"delete"}}]]');
      return machine.post("read", '[["/"]]').body;
    });
    expect(texts[1]).toBe(texts[0]);
  });
});
