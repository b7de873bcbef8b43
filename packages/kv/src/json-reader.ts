import type { Value } from "./value.ts";

/** Bounds of a JSON text. */
export interface JsonLimits {
  /** Levels of arrays and objects within each other, 64 unless told. */
  readonly depthMax?: number;
}

/** A text that is not JSON, or beyond a limit. */
export class JsonError extends Error {
  /** Where in the text, in UTF-16 units from 0. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = "JsonError";
    this.offset = offset;
  }
}

/** A cursor over a JSON text, for callers that walk the outer levels by hand. */
export class JsonReader {
  /** The text that is read. */
  readonly text: string;
  /** Offset of the next character to read. */
  position = 0;

  constructor(text: string, _limits: JsonLimits = {}) {
    this.text = text;
  }

  /** Moves over spaces, tabs and line ends. */
  skipSpace(): void {
    throw new Error("not built");
  }

  /** The next character after spaces, not taken; "" at the end of the text. */
  peek(): string {
    throw new Error("not built");
  }

  /** Takes `char` if it comes next after spaces, and tells whether it did. */
  take(_char: string): boolean {
    throw new Error("not built");
  }

  /** Takes `char`, which must come next after spaces. */
  expect(_char: string): void {
    throw new Error("not built");
  }

  /** Takes the value that comes next after spaces. Its depth counts from here. */
  readValue(): Value {
    throw new Error("not built");
  }

  /** Takes the string that must come next after spaces. */
  readString(): string {
    throw new Error("not built");
  }

  /** Refuses anything but spaces up to the end of the text. */
  expectEnd(): void {
    throw new Error("not built");
  }

  /** Throws that `expected` was expected at the cursor, and what is there. */
  fail(_expected: string): never {
    throw new Error("not built");
  }
}
