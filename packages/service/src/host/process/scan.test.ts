import { expect, test } from "vitest";
import { lineMatcher } from "./scan.ts";

const feedAll = (pattern: RegExp, pieces: readonly string[]) => {
  const lines = lineMatcher(pattern);
  return pieces.map((piece) => lines.feed(Buffer.from(piece))?.[0]).find((found) => found);
};

test("a line that comes in pieces is matched as a whole", () => {
  expect(feedAll(/port \d+/, ["listening on po", "rt 80", "80\nmore"])).toBe("port 8080");
});

test("a pattern does not reach over lines, and a carriage return is no part of one", () => {
  expect(feedAll(/a.*b/s, ["a\nb\n"])).toBeUndefined();
  expect(feedAll(/^ready$/, ["ready\r\n"])).toBe("ready");
});

test("a character that is cut between pieces is whole again", () => {
  const bytes = Buffer.from("größe\n");
  const lines = lineMatcher(/größe/);
  expect(lines.feed(bytes.subarray(0, 3))).toBeUndefined();
  expect(lines.feed(bytes.subarray(3))?.[0]).toBe("größe");
});

test("a line without an end is matched only when asked for", () => {
  const lines = lineMatcher(/port \d+/);
  expect(lines.feed(Buffer.from("port 80"))).toBeUndefined();
  expect(lines.rest()?.[0]).toBe("port 80");
});

test("only the first 8 KiB of a line are looked at", () => {
  expect(feedAll(/x/, [`${" ".repeat(8_191)}x\n`])).toBe("x");
  expect(feedAll(/x/, [`${" ".repeat(8_192)}x\n`])).toBeUndefined();
  expect(feedAll(/x/, [" ".repeat(9_000), "x\n"])).toBeUndefined();
});
