import type { Value } from "./value.ts";

/** The JSON text of `value`, without spaces. Members are in the order of their tree. */
export function writeJson(_value: Value): string {
  throw new Error("not built");
}

/** Writes a value in pieces, so that a large tree is never one string. */
export class JsonWriter {
  constructor(_value: Value, _pieceLength = 65_536) {}

  /** The next piece, about as long as asked for and never empty; undefined after the last. */
  next(): string | undefined {
    throw new Error("not built");
  }
}
