import { quoted } from "./json-string.ts";
import { Tree } from "./tree.ts";
import type { TreeCursor } from "./tree-cursor.ts";
import type { Value } from "./value.ts";

/** The JSON text of `value`, without spaces. Members are in the order of their tree. */
export function writeJson(value: Value): string {
  if (value === null || typeof value !== "object") return scalar(value);
  const writer = new JsonWriter(value, Number.POSITIVE_INFINITY);
  return writer.next() ?? "";
}

/** A container that is being written: a tree's cursor, or an array and the next of its items. */
type Open =
  | { readonly type: "object"; readonly cursor: TreeCursor; count: number }
  | { readonly type: "array"; readonly items: readonly Value[]; count: number };

/**
 * Writes a value in pieces, so that a large tree is never one string.
 *
 * A piece ends after the first token that makes it `pieceLength` UTF-16 units long, so one long string gives one long
 * piece. The value has to stay as it is until the last piece.
 */
export class JsonWriter {
  readonly #pieceLength: number;
  readonly #open: Open[] = [];
  #text = "";
  #isBegun = false;
  readonly #value: Value;

  constructor(value: Value, pieceLength = 65_536) {
    this.#value = value;
    this.#pieceLength = pieceLength;
  }

  /** The next piece, never empty; undefined after the last. */
  next(): string | undefined {
    this.#text = "";
    if (!this.#isBegun) {
      this.#isBegun = true;
      this.#begin(this.#value);
    }
    let top = this.#open.at(-1);
    while (top !== undefined && this.#text.length < this.#pieceLength) {
      if (top.type === "object") this.#member(top);
      else this.#item(top);
      top = this.#open.at(-1);
    }
    return this.#text === "" ? undefined : this.#text;
  }

  #member(open: Open & { readonly type: "object" }): void {
    const { cursor } = open;
    if (!cursor.advance()) {
      this.#open.pop();
      this.#text += "}";
      return;
    }
    this.#text += open.count > 0 ? `,${quoted(cursor.key)}:` : `${quoted(cursor.key)}:`;
    open.count += 1;
    this.#begin(cursor.value);
  }

  #item(open: Open & { readonly type: "array" }): void {
    const item = open.items[open.count];
    if (item === undefined) {
      this.#open.pop();
      this.#text += "]";
      return;
    }
    if (open.count > 0) this.#text += ",";
    open.count += 1;
    this.#begin(item);
  }

  #begin(value: Value): void {
    if (value instanceof Tree) {
      this.#text += "{";
      this.#open.push({ type: "object", cursor: value.cursor(), count: 0 });
    } else if (Array.isArray(value)) {
      this.#text += "[";
      this.#open.push({ type: "array", items: value, count: 0 });
    } else this.#text += scalar(value as Exclude<Value, Tree | readonly Value[]>);
  }
}

function scalar(value: null | boolean | number | bigint | string): string {
  return typeof value === "string" ? quoted(value) : String(value);
}
