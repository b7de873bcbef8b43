import { describe, expect, test } from "vitest";
import { Batch } from "./batch.ts";
import { notificationText } from "./observers.ts";
import { ownTransaction } from "./request.ts";
import { emptyKv } from "./state.ts";

const observing = ownTransaction(
  '{"/a/b":{"op":"observe","url":"http://h/1"},"/":{"op":"observe","url":"http://h/2"}}',
);

function told(...writes: string[]): unknown {
  const batch = new Batch(emptyKv, { logTime: 0, wallTime: 0 });
  batch.add(observing);
  for (const write of writes) batch.add(ownTransaction(write));
  return Object.fromEntries(
    batch.notifications.map((one) => [one.url, JSON.parse(notificationText(one, 7))]),
  );
}

describe("observers", () => {
  test("are told once of an entry what operators did at their path and below it", () => {
    expect(
      told(
        '{"/a/b/c":{"op":"set","new":1},"/a":{"op":"delete"}}',
        '{"/a/b":{"op":"push","new":1}}',
      ),
    ).toEqual({
      "http://h/1": {
        term: 7,
        index: 3,
        "/a/b": { "/a/b/c": { op: "set" }, "/a/b": { op: "push" } },
      },
    });
  });

  test("of the root are told of the root alone", () => {
    expect(told('{"/":{"op":"delete"}}', '{"/x":{"op":"delete"}}')).toEqual({
      "http://h/2": { term: 7, index: 2, "/": { "/": { op: "delete" } } },
    });
  });

  test.each([
    ["plain assignments", '{"/a/b":1}'],
    ["neighbours with a longer name", '{"/a/bc":{"op":"set","new":1}}'],
    ["transactions that are refused", '{"/a/b":{"op":"set","new":1},"/z":{"op":"bs"}}'],
    ["observing", '{"/a/b":{"op":"observe","url":"http://h/3"}}'],
  ])("are not told of %s", (_, write) => {
    expect(told(write)).toEqual({});
  });

  test("stay when their path is deleted, and go by exactly their path and URL", () => {
    expect(told('{"/":{"op":"delete"}}', '{"/a/b":{"op":"increment"}}')).toHaveProperty([
      "http://h/1",
    ]);
    const other = '{"/a":{"op":"unobserve","url":"http://h/1"}}';
    const exact = '{"/a/b":{"op":"unobserve","url":"http://h/1"}}';
    expect(told(other, '{"/a/b":{"op":"increment"}}')).toHaveProperty(["http://h/1"]);
    expect(told(exact, '{"/a/b":{"op":"increment"}}')).toEqual({});
  });
});
