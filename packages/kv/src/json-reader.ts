import { parseNumber } from "./json-number.ts";
import {
  endOfPlainRun,
  hasSurrogates,
  isShortAndPlain,
  simpleString,
  stringBetween,
} from "./json-string.ts";
import { Edit, Tree } from "./tree.ts";
import type { Value } from "./value.ts";

/** Bounds of a JSON text. */
export interface JsonLimits {
  /**
   * Levels of arrays and objects within each other, 64 unless told.
   *
   * Each level takes a part of the stack, so this should not be above 1,000.
   */
  readonly depthMax?: number;
}

/** A text that is not JSON, or beyond a limit; `message` says what was expected, what was found, and where. */
export class JsonError extends Error {
  /** Where in the text, in UTF-16 units from 0. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = "JsonError";
    this.offset = offset;
  }
}

const quote = 0x22;
const backslash = 0x5c;
const digit0 = 0x30;
const digit9 = 0x39;
const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const fourHex = /[0-9a-fA-F]{4}/y;

/**
 * A cursor over a JSON text, for callers that walk the outer levels by hand.
 *
 * Strings of the values keep at most twice their own length of the text alive. All methods throw `JsonError`, after
 * which the cursor is of no use.
 */
export class JsonReader {
  /** The text that is read. */
  readonly text: string;
  /** Offset of the next character to read, in UTF-16 units. */
  position = 0;
  readonly #depthMax: number;
  readonly #isPlain: boolean;
  readonly #hasSurrogates: boolean;
  /** Owns the trees while they are built. */
  readonly #edit = new Edit();
  #depth = 0;

  constructor(text: string, limits: JsonLimits = {}) {
    this.text = text;
    this.#depthMax = limits.depthMax ?? 64;
    this.#isPlain = isShortAndPlain(text);
    this.#hasSurrogates = !this.#isPlain && hasSurrogates(text);
  }

  /** Moves over spaces, tabs and line ends. */
  skipSpace(): void {
    this.#nextCode();
  }

  /** The next character after spaces, not taken; "" at the end of the text. */
  peek(): string {
    this.#nextCode();
    return this.text.charAt(this.position);
  }

  /** Takes the character `char` if it comes next after spaces, and tells whether it did. */
  take(char: string): boolean {
    if (this.#nextCode() !== char.charCodeAt(0)) return false;
    this.position += 1;
    return true;
  }

  /** Takes the character `char`, which must come next after spaces. */
  expect(char: string): void {
    if (!this.take(char)) this.fail(JSON.stringify(char));
  }

  /** Takes the value that comes next after spaces. Its depth counts from here. */
  readValue(): Value {
    const code = this.#nextCode();
    switch (code) {
      case quote:
        return this.#string();
      case 0x7b:
        return this.#object();
      case 0x5b:
        return this.#array();
      case 0x74:
        return this.#literal("true", true);
      case 0x66:
        return this.#literal("false", false);
      case 0x6e:
        return this.#literal("null", null);
      default:
        if (code === 0x2d || (code >= digit0 && code <= digit9)) return this.#number(code);
        return this.fail("a value");
    }
  }

  /** Takes the string that must come next after spaces. */
  readString(): string {
    if (this.#nextCode() !== quote) this.fail("a string");
    return this.#string();
  }

  /** Refuses anything but spaces up to the end of the text. */
  expectEnd(): void {
    this.#nextCode();
    if (this.position < this.text.length) this.fail("the end of the text");
  }

  /** Throws that `expected` was expected, and what stands at `offset`, which is the cursor unless told. */
  fail(expected: string, offset = this.position): never {
    const found = describeAt(this.text, offset);
    throw new JsonError(`expected ${expected} at offset ${offset}, found ${found}`, offset);
  }

  /** Code of the next character after spaces; NaN at the end. */
  #nextCode(): number {
    let code = this.text.charCodeAt(this.position);
    while (code <= 0x20 && (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09)) {
      this.position += 1;
      code = this.text.charCodeAt(this.position);
    }
    return code;
  }

  #object(): Tree {
    this.#enter();
    let tree = Tree.empty;
    if (!this.take("}")) {
      do {
        if (this.#nextCode() !== quote) this.fail("a key in quotes");
        const start = this.position;
        const key = this.#string();
        this.expect(":");
        const { size } = tree;
        tree = tree.set(key, this.readValue(), this.#edit);
        if (tree.size === size) this.fail("a key that the object does not have yet", start);
      } while (this.take(","));
      if (!this.take("}")) this.fail('"," or "}"');
    }
    this.#depth -= 1;
    return tree;
  }

  #array(): Value[] {
    this.#enter();
    const items: Value[] = [];
    if (!this.take("]")) {
      do items.push(this.readValue());
      while (this.take(","));
      if (!this.take("]")) this.fail('"," or "]"');
    }
    this.#depth -= 1;
    // A copy of the exact size: an array that grew by push keeps room for sixteen more.
    return items.slice();
  }

  #enter(): void {
    if (this.#depth === this.#depthMax) this.fail(`at most ${this.#depthMax} levels of nesting`);
    this.#depth += 1;
    this.position += 1;
  }

  #literal(word: string, value: Value): Value {
    if (!this.text.startsWith(word, this.position)) this.fail("a value");
    this.position += word.length;
    return value;
  }

  #number(first: number): number | bigint {
    const start = this.position;
    let at = first === 0x2d ? start + 1 : start;
    let code = this.text.charCodeAt(at);
    if (code === digit0) code = this.text.charCodeAt(++at);
    else {
      let integer = 0;
      while (code >= digit0 && code <= digit9 && at - start < 16) {
        integer = integer * 10 + code - digit0;
        code = this.text.charCodeAt(++at);
      }
      // Short integers, nearly all numbers there are, need no slice. 0x2e is ".", 0x65 and 0x45 are "e".
      const isInteger = at - start < 16 && code !== 0x2e && code !== 0x65 && code !== 0x45;
      if (isInteger && integer > 0) {
        this.position = at;
        return first === 0x2d ? -integer : integer;
      }
    }
    number.lastIndex = start;
    if (!number.test(this.text)) this.fail("a digit", at);
    this.position = number.lastIndex;
    const value = parseNumber(this.text.slice(start, this.position));
    return value ?? this.fail("a number that a double can hold", start);
  }

  #string(): string {
    const start = this.position + 1;
    const end = this.#hasSurrogates ? -1 : this.text.indexOf('"', start);
    if (end > 0) {
      const string = this.#isPlain
        ? stringBetween(this.text, start, end, false)
        : simpleString(this.text, start, end);
      if (string !== undefined) {
        this.position = end + 1;
        return string;
      }
    }
    return this.#escapedString(start);
  }

  /** Takes the string that begins at `start`, unit by unit. */
  #escapedString(start: number): string {
    let hasEscapes = false;
    let at = endOfPlainRun(this.text, start);
    for (let code = this.text.charCodeAt(at); code !== quote; code = this.text.charCodeAt(at)) {
      if (code === backslash) {
        hasEscapes = true;
        at = this.#escapeEnd(at);
      } else if (isHighSurrogate(code) && isLowSurrogate(this.text.charCodeAt(at + 1))) at += 2;
      else if (at < this.text.length) this.fail("a character of a string or a closing quote", at);
      else this.fail("a closing quote", at);
      at = endOfPlainRun(this.text, at);
    }
    this.position = at + 1;
    return stringBetween(this.text, start, at, hasEscapes);
  }

  /** Where the escape at `offset` ends, both halves of a surrogate pair included. */
  #escapeEnd(offset: number): number {
    if (this.text.charCodeAt(offset + 1) !== 0x75) {
      const char = this.text.charAt(offset + 1);
      if (char === "" || !'"\\/bfnrt'.includes(char)) this.fail("an escape", offset + 1);
      return offset + 2;
    }
    const unit = this.#unitAt(offset);
    if (isLowSurrogate(unit)) this.fail("a surrogate pair", offset);
    if (!isHighSurrogate(unit)) return offset + 6;
    const isPair =
      this.text.startsWith("\\u", offset + 6) && isLowSurrogate(this.#unitAt(offset + 6));
    if (!isPair) this.fail("the second half of a surrogate pair", offset + 6);
    return offset + 12;
  }

  /** Value of the `\uXXXX` at `offset`. */
  #unitAt(offset: number): number {
    fourHex.lastIndex = offset + 2;
    if (!fourHex.test(this.text)) this.fail("four hexadecimal digits", offset + 2);
    return Number.parseInt(this.text.slice(offset + 2, offset + 6), 16);
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

function describeAt(text: string, offset: number): string {
  const code = text.codePointAt(offset);
  if (code === undefined) return "the end of the text";
  return code > 0x20 && code < 0x7f
    ? JSON.stringify(String.fromCodePoint(code))
    : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}
