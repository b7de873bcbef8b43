import type { Json } from "@halon/protocol";

/** Texts that are kept parsed: what several nodes read, they read soon after one another. */
const keptMax = 256;
/** Shorter ones are parsed faster than found; characters. */
const charsMin = 256;

const kept = new Map<string, Json>();

/** The JSON of a text; equal texts give one value, which nobody can change. */
export function parseShared(text: string): Json {
  if (text.length < charsMin) return JSON.parse(text) as Json;
  const known = kept.get(text);
  if (known !== undefined) return known;
  const value = deepFreeze(JSON.parse(text) as Json);
  if (kept.size >= keptMax) kept.clear();
  kept.set(text, value);
  return value;
}

function deepFreeze(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
