import { describe, expect, test } from "vitest";
import { parseTransactRequest, parseWriteRequest } from "./request.ts";
import { Machine } from "./testing.ts";

function written(machine: Machine, body: string): unknown {
  const answer = machine.post("write", body);
  return [answer.status, JSON.parse(answer.body).results?.map((n: number) => n > 0)];
}

describe("bodies that are no request", () => {
  test.each(["", "null", "{}", '"x"', "42", "[", "[[]", "[[]] x", "\ufeff[[]]", "[[\u0000]]"])(
    "%j is refused as a whole",
    (body) => {
      const machine = new Machine();
      const [before] = machine.digests();
      for (const endpoint of ["write", "read", "transact", "transient"]) {
        const answer = machine.post(endpoint, body);
        expect([endpoint, answer.status]).toEqual([endpoint, 400]);
        expect(JSON.parse(answer.body).message).toMatch(/./);
      }
      expect(machine.post("inquire", body).status).toBe(500);
      expect(machine.digests()).toEqual([before, before]);
    },
  );

  test.each([
    '[[{"/a":1}],{"/b":1}]',
    '[[{"/a":1}],[]]',
    '[[{"/a":1}],[{}]]',
    '[[{"/a":1}],[1]]',
    '[[{"/a":1}],[{"/b":1},12]]',
    '[[{"/a":1}],[{"/b":1},{},5]]',
    '[[{"/a":1}],[{"/b":1},{},"id",1]]',
    '[[{"/a":1}],[{"/b":1,"/b":2}]]',
    '[[{"/a":1}],[{"/b":{"c":1,"c":2}}]]',
    '[[{"/a":1}],[{"/b":1e400}]]',
    '[[{"/a":1}],[{"/b":01}]]',
    '[[{"/a":1}],[{"/b":"\\ud800"}]]',
  ])("%s applies nothing", (body) => {
    const machine = new Machine();
    const [before] = machine.digests();
    expect(machine.post("write", body).status).toBe(400);
    expect(machine.digests()).toEqual([before, before]);
  });

  test("a transact with a malformed last item applies nothing", () => {
    const machine = new Machine();
    const [before] = machine.digests();
    expect(machine.post("transact", '[[{"/a":1}],["/a"],["/a",1]]').status).toBe(400);
    expect(machine.post("transact", '[[{"/a":1}],[]]').status).toBe(400);
    expect(machine.post("transact", "[]").body).toBe('{"message":"Empty request"}');
    expect(machine.digests()).toEqual([before, before]);
  });

  test("one query that is no array is a teapot; among others it is malformed", () => {
    const machine = new Machine();
    expect(machine.post("read", '["/a"]')).toEqual({ status: 418, body: "[]" });
    expect(machine.post("read", '[["/a"],"/a"]').status).toBe(400);
    expect(machine.post("read", "[]")).toEqual({ status: 200, body: "[]" });
  });
});

describe("limits", () => {
  test.each([
    { what: "10,000 levels", body: `[[{"/a":${"[".repeat(10_000)}${"]".repeat(10_000)}}]]` },
    { what: "65 levels of objects", body: `[[{"/a":${'{"a":'.repeat(65)}1${"}".repeat(65)}}]]` },
    { what: "65 segments", body: `[[{"${"/a".repeat(65)}":1}]]` },
    { what: "65 levels of split keys", body: `[[{"/a":{"b":{"${"/a".repeat(64)}":1}}}]]` },
    { what: "a path of 65,537 bytes", body: `[[{"/${"a".repeat(65_536)}":1}]]` },
    { what: "a path of two-byte letters", body: `[[{"/${"ä".repeat(40_000)}":1}]]` },
    { what: "a nested key of 1 MB", body: `[[{"/a":{"${"k".repeat(1_000_000)}":1}}]]` },
    { what: "a client id of 1,025 bytes", body: `[[{"/a":1},{},"${"i".repeat(1025)}"]]` },
    { what: "20,001 transactions", body: `[${'[{"/a":1}],'.repeat(20_000)}[{"/a":1}]]` },
  ])("$what are refused", ({ body }) => {
    const request = parseWriteRequest(body);
    expect(request).toMatchObject({ ok: false, status: 400 });
  });

  test("a million paths are refused in a read and in a transact", () => {
    const body = `[[${'"/a",'.repeat(1_000_000)}"/a"]]`;
    expect(new Machine().post("read", body).status).toBe(400);
    expect(parseTransactRequest(body)).toMatchObject({ ok: false });
  });

  test("64 segments with 64 levels below them can be written, read, logged and restored", () => {
    const machine = new Machine();
    const path = "/a".repeat(64);
    const value = `${'{"a":'.repeat(64)}1${"}".repeat(64)}`;
    expect(written(machine, `[[{"${path}":${value}}]]`)).toEqual([200, [true]]);
    const answer = machine.post("read", '[["/"]]').body;
    expect(answer).toBe(`[${'{"a":'.repeat(128)}1${"}".repeat(128)}]`);
    const [leader, follower] = machine.digests();
    expect(follower).toBe(leader);
  });
});

describe("keys are only keys", () => {
  const keys = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "then"];

  test.each(keys)("%s is absent until it is written", (key) => {
    const machine = new Machine();
    expect(machine.post("read", `[["/${key}"],["/${key}/x"]]`).body).toBe("[{},{}]");
    const body = `[[{"/${key}":{"${key}":1}},{"/${key}":{"oldEmpty":true}}]]`;
    expect(written(machine, body)).toEqual([200, [true]]);
    expect(machine.post("read", `[["/${key}"]]`).body).toBe(`[{"${key}":{"${key}":1}}]`);
    expect(written(machine, `[[{"/${key}/x":2}]]`)).toEqual([200, [true]]);
    expect(machine.post("read", `[["/${key}/x"]]`).body).toBe(`[{"${key}":{"x":2}}]`);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as Record<string, unknown>)["x"]).toBe(undefined);
  });

  test.each(["%2e%2e", "..", ".", "a\\\\b", "a b", "\\u0001", "e\\u0301", "\\u200b", "~1"])(
    'the segment "%s" is one key',
    (key) => {
      const machine = new Machine();
      machine.post("write", `[[{"/x/${key}/y":1}]]`);
      const answer = JSON.parse(machine.post("read", '[["/x"],["/."]]').body);
      expect(answer[0]).toEqual(
        key.startsWith(".") ? { x: {} } : { x: JSON.parse(`{"${key}":{"y":1}}`) },
      );
      expect(machine.post("read", `[["//x//${key}/"]]`).body).toContain('{"y":1}');
    },
  );

  test("spellings of one path are one path, and two spellings are applied in their byte order", () => {
    const machine = new Machine();
    machine.post("write", '[[{"b//":1,"/b":2,"//b":3}]]');
    expect(machine.post("read", '[["///b"]]').body).toBe('[{"b":1}]');
  });

  test("twins of normalisation stay apart", () => {
    const machine = new Machine();
    machine.post("write", '[[{"/\\u00e9":1,"/e\\u0301":2}]]');
    expect(machine.post("read", '[["/\\u00e9"],["/e\\u0301"]]').body).toBe(
      '[{"é":1},{"e\u0301":2}]',
    );
  });

  test.each(["/.agency", ".agency", "//.agency/x", "/.agencyfoo"])("%s is guarded", (path) => {
    const machine = new Machine();
    expect(written(machine, `[[{"${path}":1}],[{"/a":1}]]`)).toEqual([403, [false, true]]);
    expect(machine.post("transact", `[[{"${path}":1}]]`)).toEqual({ status: 403, body: "[0]" });
  });
});

describe("numbers", () => {
  test.each([
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "0",
    "-1.5e-7",
  ])("%s is read as it was written, by leader, follower and snapshot", (n) => {
    const machine = new Machine();
    machine.post("write", `[[{"/n":${n}}]]`);
    expect(machine.post("read", '[["/n"]]').body).toBe(`[{"n":${n}}]`);
    expect(written(machine, `[[{"/x":1},{"/n":${n}}]]`)).toEqual([200, [true]]);
    const [leader, follower] = machine.digests();
    expect(follower).toBe(leader);
  });

  test.each([
    { old: "9007199254740992", step: "1", now: "9007199254740993" },
    { old: "9007199254740993", step: "-2", now: "9007199254740991" },
    { old: "18446744073709551614", step: "1", now: "18446744073709551615" },
    { old: "18446744073709551615", step: "1", now: null },
    { old: "-9223372036854775808", step: "-1", now: null },
    { old: "-2.9", step: "1", now: "-1" },
    { old: "1e300", step: "1", now: null },
    { old: "1", step: "1e308", now: null },
    { old: '"a"', step: '"b"', now: "1" },
    { old: "{}", step: "-0.5", now: "0" },
  ])("$old and $step make $now", ({ old, step, now }) => {
    const machine = new Machine();
    machine.post("write", `[[{"/n":${old}}]]`);
    const before = machine.post("read", '[["/n"]]').body;
    const body = `[[{"/n":{"op":"increment","step":${step}}}]]`;
    expect(written(machine, body)).toEqual([200, [now !== null]]);
    expect(machine.post("read", '[["/n"]]').body).toBe(now === null ? before : `[{"n":${now}}]`);
  });
});
