import type { PatternDescription } from "@halon/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Matching } from "./matching.ts";

const quiet: Readonly<Record<string, number>> = { "f/a": 3, "f/b": 3, "f/c": 7, "g/a": 1 };
const patterns = new Map(
  Object.entries(quiet).map(([rule, quietMs]): [string, PatternDescription] => [
    rule,
    { type: "debounce", quietMs, keysMax: 100, overflow: "oldest" },
  ]),
);

/** What is due of many rules, looked for in the plainest way. */
function expectedAt(now: number, open: Map<string, number>): string[] {
  const due = [...open].filter(([, at]) => at <= now);
  for (const [window] of due) open.delete(window);
  return due
    .sort(([a, one], [b, other]) => one - other || (a < b ? -1 : 1))
    .map(([window]) => window);
}

test("what time alone completes comes in the order of time, rule and key, also after a restart", () => {
  const act = fc.record({
    rule: fc.constantFrom(...Object.keys(quiet)),
    key: fc.constantFrom("x", "y", "z"),
    after: fc.integer({ min: 0, max: 4 }),
    isRestart: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      let matching = new Matching();
      matching.bring(patterns);
      const open = new Map<string, number>();
      let now = 1;
      for (const { rule, key, after, isRestart } of acts) {
        now += after;
        const told: string[] = [];
        for (let due = matching.due(now); due !== null; due = matching.due(now))
          told.push(`${due.rule} ${due.match.key}`);
        expect(told).toEqual(expectedAt(now, open));
        matching.take(rule, { key, part: 0, kept: null }, now);
        open.set(`${rule} ${key}`, now + (quiet[rule] ?? 0) + 1);
        if (isRestart) {
          const saved = matching.save();
          matching = new Matching();
          matching.load(saved);
        }
        expect(matching.firstDue).toBe(Math.min(...open.values()));
      }
    }),
  );
});
