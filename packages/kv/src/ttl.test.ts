import { describe, expect, test } from "vitest";
import { Machine } from "./testing.ts";

function machineWith(...writes: string[]): Machine {
  const machine = new Machine();
  machine.post("write", '[[{"/":{}}]]');
  for (const write of writes) expect(machine.post("write", `[[${write}]]`).status).toBe(200);
  return machine;
}

function read(machine: Machine, path = "/"): unknown {
  return JSON.parse(machine.post("read", JSON.stringify([[path]])).body)[0];
}

const session = '{"/s":{"op":"set","new":{"a":[1],"b":2},"ttl":1}}';

describe("a value with a TTL", () => {
  test("is there until its instant, and at it gone from reads of it, above it and below it", () => {
    const machine = machineWith(session, '{"/t":1}');
    machine.now += 999;
    expect(read(machine)).toEqual({ s: { a: [1], b: 2 }, t: 1 });
    machine.now += 1;
    expect([read(machine), read(machine, "/s"), read(machine, "/s/a")]).toEqual([{ t: 1 }, {}, {}]);
  });

  test("is absent to preconditions once it has expired, also as a part of another value", () => {
    const machine = machineWith('{"/p":{"q":1}}', '{"/p/s":{"op":"set","new":1,"ttl":1}}');
    machine.now += 1000;
    const conditions = '{"/p/s":{"oldEmpty":true},"/p":{"old":{"q":1}}}';
    expect(machine.post("write", `[[{"/x":1},${conditions}]]`).status).toBe(200);
  });

  test.each([
    ["/s/a", '{"op":"push","new":2}', { s: { a: [2] } }],
    ["/s/b", '{"op":"increment"}', { s: { b: 1 } }],
    ["/s", '{"op":"pop"}', { s: [] }],
    ["/s", '{"op":"delete"}', {}],
    ["/s/b", '{"op":"delete"}', {}],
    ["/s", '{"op":"write-lock","by":"me"}', { s: "me" }],
  ])("is absent to an operator at %s: %s", (path, operation, left) => {
    const machine = machineWith(session);
    machine.now += 1000;
    machine.post("write", `[[{"${path}":${operation}}]]`);
    expect(read(machine)).toEqual(left);
    const [leader, follower] = machine.digests();
    expect(follower).toBe(leader);
  });

  test.each(['{"/s/b":{"op":"increment"}}', '{"/s/c/d":1}', '{"/s/a":{"op":"delete"}}'])(
    "keeps its instant when something below it changes: %s",
    (write) => {
      const machine = machineWith(session, write);
      machine.now += 1000;
      expect(read(machine)).toEqual({});
    },
  );

  test.each([
    '{"/s":1}',
    '{"/s":{"op":"set","new":1}}',
    '{"/s":{"op":"increment"}}',
    '{"/s":{"op":"push","new":1}}',
    '{"/":{"s":1}}',
  ])("loses its instant when it is assigned, or anything above it: %s", (write) => {
    const machine = machineWith(session, write);
    machine.now += 1000;
    expect(Object.keys(Object(read(machine)))).toEqual(["s"]);
    expect(machine.state.ttls).toBe(null);
  });

  test("can be renewed by its holder, and taken by another when it has expired", () => {
    const take = (id: string) =>
      `[[{"/l":{"op":"set","new":"${id}","ttl":2}},{"/l":{"oldEmpty":true}}]]`;
    const renew = (id: string) => `[[{"/l":{"op":"set","new":"${id}","ttl":2}},{"/l":"${id}"}]]`;
    const machine = machineWith();
    expect(machine.post("write", take("a")).status).toBe(200);
    machine.now += 1500;
    expect(machine.post("write", renew("a")).status).toBe(200);
    machine.now += 1500;
    expect(machine.post("write", take("b")).status).toBe(412);
    machine.now += 500;
    expect(machine.post("write", renew("a")).status).toBe(412);
    expect(machine.post("write", take("b")).status).toBe(200);
  });
});

describe("a ttl", () => {
  test.each([
    ["0", 0, {}],
    ["-1e300", 0, {}],
    ["1.9", 999, { v: 1 }],
    ["1.9", 1000, {}],
    ["1e300", 1e12, { v: 1 }],
    ['"1"', 1e12, { v: 1 }],
    ["null", 1e12, { v: 1 }],
  ])("of %s after %d ms leaves %j", (ttl, pause, left) => {
    const machine = machineWith(`{"/v":{"op":"set","new":1,"ttl":${ttl}}}`);
    machine.now += pause;
    expect(read(machine)).toEqual(left);
  });

  test("of the root empties the tree", () => {
    const machine = machineWith('{"/":{"op":"set","new":{"a":1},"ttl":1}}');
    machine.now += 1000;
    expect(read(machine)).toEqual({});
    machine.post("write", '[[{"/b":1}]]');
    expect(read(machine)).toEqual({ b: 1 });
  });

  test("is shown in seconds since 1970 by a dump, until it has run out", () => {
    const machine = machineWith('{"/v/w":{"op":"set","new":1,"ttl":100}}');
    machine.now += 40_000;
    expect(JSON.parse(machine.stores()).read_db[1]).toEqual({ "/v/w": 1100 });
    machine.now += 60_000;
    const [tree, expiries] = JSON.parse(machine.stores()).read_db;
    expect(tree.v).toEqual({});
    expect(expiries).toEqual({});
  });
});

describe("what has expired", () => {
  test("is removed bit by bit by later transactions, faster than it can be added", () => {
    const machine = machineWith();
    const sessions = Array.from(
      { length: 1000 },
      (_, i) => `[{"/s/${i}/x":{"op":"set","new":1,"ttl":${1 + (i % 3)}}}]`,
    );
    machine.post("write", `[${sessions.join()}]`);
    machine.now += 3000;
    const before = read(machine);
    for (let i = 0; i < 60; i++) machine.post("write", '[[{"/t":1}]]');
    expect(machine.state).toMatchObject({ ttls: null, sweptTo: machine.now / 1000 });
    expect(machine.state.due.size).toBe(0);
    expect(read(machine)).toEqual({ ...Object(before), t: 1 });
    const [leader, follower] = machine.digests();
    expect(follower).toBe(leader);
  });

  test("is found after a long silence too", () => {
    const machine = machineWith('{"/a":{"op":"set","new":1,"ttl":5}}');
    machine.now += 3_000_000;
    for (let i = 0; i < 3; i++) machine.post("write", '[[{"/t":1}]]');
    expect(machine.state.ttls).toBe(null);
  });

  test("is not removed when it has been renewed or written without a TTL", () => {
    const machine = machineWith(
      '{"/a":{"op":"set","new":1,"ttl":1},"/b":{"op":"set","new":1,"ttl":1}}',
      '{"/a":{"op":"set","new":2,"ttl":9},"/b":2}',
    );
    machine.now += 2000;
    machine.post("write", '[[{"/t":1}]]');
    expect(read(machine)).toEqual({ a: 2, b: 2, t: 1 });
    machine.post("write", '[[{"/a":{"op":"delete"}}]]');
    expect(machine.state.due.size).toBe(0);
  });
});
