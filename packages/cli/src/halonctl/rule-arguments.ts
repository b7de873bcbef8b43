import type { z } from "zod";
import { usage } from "../failure.ts";

type Value = z.infer<ReturnType<typeof z.json>>;

/** Options of a rule file as arguments: `name=value`, where the value is JSON, or else text. */
export function optionsOf(given: readonly string[]): Record<string, Value> {
  const options = new Map<string, Value>();
  for (const text of given) {
    const [name = "", value] = split(text);
    if (name === "" || value === undefined)
      throw usage(`Expected an option as name=value, got ${JSON.stringify(text.slice(0, 50))}.`);
    if (options.has(name)) throw usage(`The option ${name} is given twice.`);
    options.set(name, readValue(value));
  }
  return Object.fromEntries(options);
}

function split(text: string): readonly (string | undefined)[] {
  const at = text.indexOf("=");
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function readValue(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch {
    // No JSON: it is meant as text.
    return text;
  }
}
