import { type JsonLimits, JsonReader } from "./json-reader.ts";
import type { Value } from "./value.ts";

/** The value of a JSON text (RFC 8259, strictly). Throws `JsonError`. */
export function parseJson(text: string, limits: JsonLimits = {}): Value {
  const reader = new JsonReader(text, limits);
  const value = reader.readValue();
  reader.expectEnd();
  return value;
}
