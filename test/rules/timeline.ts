import { defineEvent, type Json } from "@halon/protocol";
import { defineRules, on, type Pattern, z } from "@halon/rules";
import { describe, expect, test } from "vitest";
import { Stage } from "./stage.ts";

const schema = z.strictObject({ of: z.string(), n: z.number() });
export const A = defineEvent({ type: "EventA", schema });
export const B = defineEvent({ type: "EventB", schema });
export const C = defineEvent({ type: "EventC", schema });
export const of = (event: { readonly of: string }): string => event.of;

/**
 * A scenario of a pattern: what happens, and when the rule on it fires.
 *
 * `A x 0` is an event of type A and key x at 0 s; `A x 1.5 =7` has the number 7. `- 30` lets time pass until 30 s. A match
 * reads `5 x 0..5`: at 5 s, for the key x, since 0 s until 5 s; what else it has stands behind, as `count 3`.
 */
export type Line = readonly [
  name: string,
  pattern: Pattern<never, unknown>,
  happens: string,
  matches: string,
];

/** Takes any pattern; its types are held where the rules of files are. */
export function pattern<D, M>(given: Pattern<D, M>): Pattern<never, unknown> {
  return given as unknown as Pattern<never, unknown>;
}

/** Makes a test of each line. */
export function timelines(topic: string, lines: readonly Line[]): void {
  describe(topic, () => {
    for (const [name, given, happens, matches] of lines)
      test(name, () => expect(play(given, happens)).toEqual(listed(matches)));
  });
}

const types: Readonly<Record<string, { readonly type: string }>> = { A, B, C };

const ordered: ReadonlySet<string> = new Set(["sequence", "all"]);

function play(given: Pattern<never, unknown>, happens: string): readonly string[] {
  const told: string[] = [];
  const rules = defineRules(
    {
      seen: on(given).do(({ match, now, why }) =>
        why(shown(now, match as Readonly<Record<string, Json>>)),
      ),
    },
    { events: [A, B, C] },
  );
  const stage = new Stage({ files: { file: rules }, nodes: "a" });
  // Windows that follow each other begin at whole multiples of their length.
  const origin = 3_600_000;
  stage.pass(origin - stage.cluster.now);
  for (const entry of listed(happens)) {
    const [type = "", key = "", at = key, number = "=0"] = entry.split(" ");
    stage.pass(origin + Number(at) * 1_000 - stage.cluster.now);
    if (type === "-") continue;
    const data = { of: key, n: Number(number.slice(1)) };
    stage.cluster.emit(types[type]?.type ?? type, data);
  }
  for (const { rule, why } of stage.firings) if (rule === "file/seen") told.push(why);
  expect(stage.failures.map(({ data }) => data)).toEqual([]);
  return told;

  function shown(now: number, match: Readonly<Record<string, Json>>): string {
    const seconds = (ms: Json | undefined) => (Number(ms) - origin) / 1_000;
    const { key, since, until, count, values = {}, last, left, right } = match;
    const numberOf = (event: Json | undefined) => (event as { readonly n: number }).n;
    const more = [
      // Of these it is how many types they have.
      ...(count === undefined || ordered.has(given.description.type) ? [] : [`count ${count}`]),
      ...Object.entries(values as object).map(([name, value]) => `${name} ${value}`),
      ...(last === undefined ? [] : [`last ${numberOf(last)}`]),
      ...(left === undefined ? [] : [`${numberOf(left)}+${numberOf(right)}`]),
    ];
    const span = `${seconds(since)}..${seconds(until)}`;
    return [seconds(now), key === "" ? "*" : String(key), span, ...more].join(" ");
  }
}

function listed(text: string): readonly string[] {
  return text === "" ? [] : text.split(", ");
}
