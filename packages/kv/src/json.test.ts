import fc from "fast-check";
import { expect, test } from "vitest";
import { parseJson } from "./json.ts";
import { JsonError } from "./json-reader.ts";
import { JsonWriter, writeJson } from "./json-writer.ts";
import { Tree, treeOf } from "./tree.ts";
import type { Value } from "./value.ts";

function plain(value: Value): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Tree) {
    return Object.fromEntries([...value.entries()].map(([key, item]) => [key, plain(item)]));
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

function refusal(text: string): readonly [offset: number, message: string] {
  try {
    parseJson(text);
  } catch (error) {
    if (error instanceof JsonError) return [error.offset, error.message];
    throw error;
  }
  throw new Error(`${text.slice(0, 100)} was taken`);
}

// Few characters, so that each way of writing one is met often.
const units = [
  "a",
  "b",
  '"',
  "\\",
  "/",
  "\n",
  "\u0000",
  "\u007f",
  "\u00e9",
  "\u2028",
  "\uffff",
  "\u{1f600}",
  "long enough to be copied",
];
const json = fc.jsonValue({ stringUnit: fc.constantFrom(...units) });
/** Long texts are read in another way than short ones. */
const space = fc.constantFrom("", " ".repeat(1_100));

test("what JSON.parse takes has the same value here, and is written so that JSON.parse reads it", () => {
  fc.assert(
    fc.property(json, fc.constantFrom(0, 1), space, (value, indent, before) => {
      const text = before + JSON.stringify(value, null, indent);
      expect(plain(parseJson(text))).toEqual(JSON.parse(text));
      expect(JSON.parse(writeJson(parseJson(text)))).toEqual(JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test("a damaged text is refused where JSON.parse refuses it, and elsewhere only for a rule of this parser", () => {
  const part = fc.constantFrom(
    ...'{}[]",:\\0-.e+1 \n\t\u0001',
    "true",
    "\\u",
    "d83d",
    "\ud83d",
    "\ude00",
    '"a":',
  );
  const damaged = fc
    .tuple(
      json,
      fc.array(fc.tuple(fc.nat(), fc.nat(2), part), { minLength: 1, maxLength: 3 }),
      space,
    )
    .map(
      ([value, damages, before]) =>
        before +
        damages.reduce((text, [place, removed, added]) => {
          const at = place % (text.length + 1);
          return text.slice(0, at) + added + text.slice(at + removed);
        }, JSON.stringify(value)),
    );
  fc.assert(
    fc.property(damaged, (text) => {
      let expected: unknown;
      try {
        // The store has no -0.
        expected = JSON.parse(text, (_, item: unknown) => (item === 0 ? 0 : item));
      } catch {
        expect(() => parseJson(text)).toThrow(JsonError);
        return;
      }
      try {
        expect(plain(parseJson(text))).toEqual(expected);
      } catch (error) {
        if (!(error instanceof JsonError)) throw error;
        expect(error.message).toMatch(/does not have yet|surrogate|closing quote|double can hold/);
      }
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ["", 0, "expected a value at offset 0, found the end of the text"],
  ['{"a":1', 6, 'expected "," or "}" at offset 6, found the end of the text'],
  ["[1] x", 4, 'expected the end of the text at offset 4, found "x"'],
  ["{} {}", 3, 'expected the end of the text at offset 3, found "{"'],
  ["\ufeff{}", 0, "expected a value at offset 0, found U+FEFF"],
  ["[1\u0000]", 2, 'expected "," or "]" at offset 2, found U+0000'],
  ['{"a":1,"b":2,"a":3}', 13, "expected a key that the object does not have yet at offset 13"],
  ['{"a":1,"\\u0061":1}', 7, "expected a key that the object does not have yet"],
  ["[1,]", 3, 'expected a value at offset 3, found "]"'],
  ['{"a":1,}', 7, 'expected a key in quotes at offset 7, found "}"'],
  ["{a:1}", 1, 'expected a key in quotes at offset 1, found "a"'],
  ['{"a" 1}', 5, 'expected ":" at offset 5, found "1"'],
  ["[tru]", 1, 'expected a value at offset 1, found "t"'],
  ["1e400", 0, "expected a number that a double can hold"],
  ["-1e400", 0, "expected a number that a double can hold"],
  ["NaN", 0, "expected a value"],
  ["Infinity", 0, "expected a value"],
  ["-Infinity", 1, "expected a digit"],
  ["0x10", 1, "expected the end of the text"],
  ["01", 1, "expected the end of the text"],
  ["-01", 2, "expected the end of the text"],
  [".5", 0, "expected a value"],
  ["5.", 1, "expected the end of the text"],
  ["+1", 0, "expected a value"],
  ["1e", 1, "expected the end of the text"],
  ["-", 1, "expected a digit"],
  ['"a\nb"', 2, "expected a character of a string or a closing quote at offset 2, found U+000A"],
  ['"a', 2, "expected a closing quote"],
  ['"\\x"', 2, 'expected an escape at offset 2, found "x"'],
  ['"\\u12g4"', 3, "expected four hexadecimal digits"],
  ['"\ud800"', 1, "expected a character of a string or a closing quote at offset 1, found U+D800"],
  ['"\\ud800"', 7, "expected the second half of a surrogate pair"],
  ['"\\ud800\\n"', 7, "expected the second half of a surrogate pair"],
  ['"\\udc00"', 1, "expected a surrogate pair"],
  ["['a']", 1, "expected a value"],
])("%j is refused at %d: %s", (text, offset, message) => {
  const [actualOffset, actualMessage] = refusal(text);
  expect([actualOffset, actualMessage.slice(0, message.length)]).toEqual([offset, message]);
});

test("64 levels are taken and the 65th is refused where it begins, however many follow", () => {
  expect(writeJson(parseJson("[".repeat(64) + "]".repeat(64)))).toHaveLength(128);
  expect(refusal("[".repeat(65) + "]".repeat(65))[0]).toBe(64);
  expect(refusal("[".repeat(1_000_000))[1]).toMatch("expected at most 64 levels of nesting");
  expect(refusal('{"a":'.repeat(1_000_000))[0]).toBe(64 * 5);
  expect(() => parseJson("[[]]", { depthMax: 1 })).toThrow(JsonError);
});

test.each([
  ["9007199254740991", 9007199254740991],
  ["9007199254740992", 9007199254740992n],
  ["9007199254740993", 9007199254740993n],
  ["-9007199254740993", -9007199254740993n],
  ["18446744073709551615", 18446744073709551615n],
  ["-9223372036854775808", -9223372036854775808n],
  ["18446744073709551616", 2 ** 64],
  ["-9223372036854775809", -9223372036854775808n],
  ["-9223372036854780000", -(2 ** 63) - 4096],
  ["1e19", 10000000000000000000n],
  ["1e15", 1e15],
  ["100000000000000000000", 1e20],
  ["1.0", 1],
  ["1e-400", 0],
  ["0.1", 0.1],
  ["-12", -12],
])("%s has the one form %s", (text, value) => {
  expect(parseJson(text)).toBe(value);
});

test.each(["-0", "-0.0", "-0e5", "-1e-400"])("%s is 0", (text) => {
  expect(parseJson(text)).toBe(0);
});

test("integers from -2^63 to 2^64-1 come back as they were written", () => {
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n), (integer) => {
      const text = `{"n":[${integer}]}`;
      expect(writeJson(parseJson(text))).toBe(text);
    }),
    { numRuns: 500 },
  );
});

test("a number of a million digits is refused, a string of ten million characters taken", () => {
  expect(refusal("9".repeat(1_000_000))[0]).toBe(0);
  expect(parseJson(`"${"x".repeat(10_000_000)}"`)).toHaveLength(10_000_000);
  expect(parseJson(`["\\n${"x".repeat(10_000_000)}"]`)).toHaveLength(1);
});

test("names of Object.prototype are ordinary members, and nothing else gets them", () => {
  const text =
    '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}},"then":1,"toJSON":2,"valueOf":3}';
  const value = parseJson(text) as Tree;
  expect(["x" in {}, value.has("toString"), value.size]).toEqual([false, false, 5]);
  expect(JSON.parse(writeJson(value))).toEqual(JSON.parse(text));
});

test("texts that look alike are different keys, and control characters are written escaped", () => {
  const keys = ["\u00e9", "e\u0301", "a\u200b", "a", "\u202ea", "\u0001", "\ud83d\ude00"];
  const value = parseJson(JSON.stringify(Object.fromEntries(keys.map((key) => [key, 1])))) as Tree;
  expect(value.size).toBe(keys.length);
  expect(writeJson(treeOf([["\u0001", "\n"]]))).toBe('{"\\u0001":"\\n"}');
});

test("keys that look like integers are in the order of all keys", () => {
  expect(writeJson(parseJson('{"2":1,"10":1,"1":1,"0":1}'))).toBe('{"0":1,"1":1,"10":1,"2":1}');
});

test("the pieces of a text are the text, and each is about as long as asked for", () => {
  fc.assert(
    fc.property(json, fc.integer({ min: 1, max: 50 }), (source, pieceLength) => {
      const value = parseJson(JSON.stringify([source, "end"]));
      const writer = new JsonWriter(value, pieceLength);
      const pieces: string[] = [];
      for (let piece = writer.next(); piece !== undefined; piece = writer.next())
        pieces.push(piece);
      expect(pieces.join("")).toBe(writeJson(value));
      expect(pieces.slice(0, -1).filter((piece) => piece.length < pieceLength)).toEqual([]);
    }),
  );
  const writer = new JsonWriter(
    Array.from({ length: 1_000 }, () => "x".repeat(8)),
    100,
  );
  expect(writer.next()?.length).toBeLessThan(112);
});

test("a value nested deeper than the stack is written", () => {
  let value: Value = 1;
  for (let i = 0; i < 20_000; i += 1) value = treeOf([["a", value]]);
  expect(writeJson(value)).toHaveLength(20_000 * 6 + 1);
});
