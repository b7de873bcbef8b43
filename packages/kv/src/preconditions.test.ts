import { describe, expect, test } from "vitest";
import { Machine } from "./testing.ts";

function holds(old: string | null, condition: string): boolean {
  const machine = new Machine();
  if (old !== null) machine.post("write", `[[{"/v":${old}}]]`);
  const { status } = machine.post("write", `[[{"/x":1},{"/v":${condition}}]]`);
  return status === 200;
}

const rows: readonly [condition: string, holding: (string | null)[], failing: (string | null)[]][] =
  [
    ["5", ["5", "5.0"], ["6", '"5"', "[5]", null]],
    ["[1,{}]", ["[1,{}]"], ["[1]", "[{},1]"]],
    ["{}", ["5", null], []],
    ['{"old":{}}', ["{}", null], ["[]", "null", '{"a":1}']],
    ['{"old":{"a":1,"b":2}}', ['{"b":2,"a":1}'], ['{"a":1}', '{"a":1,"b":2,"c":3}']],
    ['{"oldNot":1}', ["2", null, "[1]"], ["1"]],
    ['{"oldNot":{}}', ["1"], [null, "{}"]],
    ['{"oldEmpty":true}', [null], ["null", "{}", "[]", "0"]],
    ['{"oldEmpty":false}', ["null", "{}", "[]", "0"], [null]],
    ['{"oldEmpty":0}', [], [null, "1"]],
    ['{"isArray":true}', ["[]"], ["{}", "1", null]],
    ['{"isArray":false}', ["{}", "1", null], ["[]"]],
    ['{"isArray":1}', [], ["[]", "1"]],
    ['{"in":1}', ["[0,1.0]"], ["[[1]]", "1", null]],
    ['{"notin":1}', ["[0]", null], ["[1]", "2"]],
    ['{"intersectionEmpty":[1,{"a":1}]}', ["[2]", "1", null], ["[0,1]", '[{"a":1}]']],
    ['{"intersectionEmpty":1}', [], ["[2]", "1", null]],
    ['{"is-write-locked":"a"}', ['"a"'], ['"b"', '["a"]', null]],
    ['{"is-read-locked":"a"}', ['["b","a"]'], ['"a"', '["b"]', '["a",1]', null]],
    ['{"can-read-lock":"a"}', [null, "{}", '["b"]'], ['["a"]', '"b"', "[1]"]],
    ['{"can-write-lock":"a"}', [null, "{}"], ['"a"', '["b"]', "[]"]],
    ['{"can-write-lock":1}', [], [null]],
    ['{"OLD":1}', [], ["1", null]],
    ['{"constructor":1}', [], ["1", null]],
    ['{"isArray":true,"in":2}', ["[2]"], ["[1]", "2"]],
  ];

describe("preconditions", () => {
  test.each(rows)("%s holds of %j and of none of %j", (condition, holding, failing) => {
    expect(holding.filter((old) => !holds(old, condition))).toEqual([]);
    expect(failing.filter((old) => holds(old, condition))).toEqual([]);
  });

  test("an intersection of large arrays is found as that of small ones", () => {
    const many = JSON.stringify(Array.from({ length: 1000 }, (_, i) => [i]));
    expect(holds(many, `{"intersectionEmpty":${many}}`)).toBe(false);
    expect(holds(many, `{"intersectionEmpty":${many.replaceAll("[", "[-1,")}}`)).toBe(true);
  });

  test("see what earlier transactions of the request have done", () => {
    const machine = new Machine();
    const cas = '[{"/n":1},{"/n":{"oldEmpty":true}}]';
    const answer = machine.post("write", `[${cas},${cas}]`);
    expect(answer.status).toBe(412);
    expect(JSON.parse(answer.body).results[1]).toBe(0);
  });
});
