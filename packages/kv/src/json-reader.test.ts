import { expect, test } from "vitest";
import { JsonReader } from "./json-reader.ts";
import { Tree } from "./tree.ts";

test("a caller walks the outer levels by hand and slices what it needs", () => {
  const reader = new JsonReader(' [ [{"/a": {"op":"set","new":1}} , {}, "id"], [{}] ] ');
  reader.expect("[");
  const found: unknown[] = [];
  do {
    reader.expect("[");
    reader.skipSpace();
    const start = reader.position;
    expect(reader.readValue()).toBeInstanceOf(Tree);
    found.push(reader.text.slice(start, reader.position));
    while (reader.take(","))
      found.push(
        reader.peek() === '"' ? reader.readString() : reader.peek(),
        reader.peek() === "{" ? reader.readValue() && 0 : 0,
      );
    reader.expect("]");
  } while (reader.take(","));
  reader.expect("]");
  reader.expectEnd();
  expect(found).toEqual(['{"/a": {"op":"set","new":1}}', "{", 0, "id", 0, "{}"]);
});

test("what is missing is named with the place", () => {
  const reader = new JsonReader("[ 1");
  expect(() => reader.expect("{")).toThrow('expected "{" at offset 0, found "["');
  expect(reader.take("[")).toBe(true);
  expect(() => reader.readString()).toThrow('expected a string at offset 2, found "1"');
  expect(reader.readValue()).toBe(1);
  expect(reader.peek()).toBe("");
  expect(() => reader.fail("more")).toThrow("expected more at offset 3, found the end of the text");
});

test("depth counts from the value that is read", () => {
  const reader = new JsonReader("[[[]]]", { depthMax: 2 });
  reader.expect("[");
  expect(reader.readValue()).toEqual([[]]);
});
