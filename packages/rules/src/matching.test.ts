import type { Contribution, PatternDescription } from "@halon/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Matching } from "./matching.ts";

type Plain = PatternDescription extends infer P
  ? P extends PatternDescription
    ? Omit<P, "keysMax" | "overflow">
    : never
  : never;

const bounds = { keysMax: 1_000, overflow: "oldest" } as const;

function matchingOf(pattern: Plain, more: Partial<typeof bounds> = {}): Matching {
  const matching = new Matching();
  const description = { ...bounds, ...more, ...pattern } as PatternDescription;
  matching.bring(new Map([["file/rule", description]]));
  return matching;
}

/** What happens at a time: `a`, `b`, … are parts 0, 1, …; a key may stand before it. */
type Step = readonly [at: number, what: string, value?: number];

function contributionOf(what: string, value: number | undefined): Contribution {
  const [key = "", part = ""] = what.includes("/") ? what.split("/") : ["k", what];
  const values = value === undefined ? {} : { values: [value, value] };
  return { key, part: part.charCodeAt(0) - 97, kept: what, ...values };
}

/** The matches of a history, as the loop that decides makes them: first what time alone makes, then the event. */
function play(matching: Matching, history: readonly Step[], until = 0): string[] {
  const told: string[] = [];
  const tell = (now: number): void => {
    for (let due = matching.due(now); due !== null; due = matching.due(now))
      told.push(`${due.match.key}:${due.match.since}-${due.match.until}`);
  };
  for (const [at, what, value] of history) {
    tell(at);
    for (const match of matching.take("file/rule", contributionOf(what, value), at))
      told.push(`${match.key}:${match.since}-${match.until}`);
  }
  tell(until);
  return told;
}

describe("count", () => {
  const pattern: Plain = { type: "count", atLeast: 3, withinMs: 10 };
  test.each([
    { name: "enough in time", history: [0, 5, 10], matches: ["k:0-10"] },
    { name: "one too late", history: [0, 5, 11], matches: [] },
    { name: "the oldest is left behind", history: [0, 5, 11, 12], matches: ["k:5-12"] },
    { name: "begins anew after a match", history: [0, 1, 2, 3, 4], matches: ["k:0-2"] },
    { name: "twice", history: [0, 1, 2, 3, 4, 5], matches: ["k:0-2", "k:3-5"] },
  ])("$name", ({ history, matches }) => {
    expect(
      play(
        matchingOf(pattern),
        history.map((at) => [at, "a"]),
      ),
    ).toEqual(matches);
  });

  test("of each key by itself", () => {
    const history: Step[] = [
      [0, "x/a"],
      [1, "y/a"],
      [2, "x/a"],
      [3, "y/a"],
      [4, "x/a"],
    ];
    expect(play(matchingOf(pattern), history)).toEqual(["x:0-4"]);
  });

  test("of one it is each event", () => {
    const one = matchingOf({ type: "count", atLeast: 1, withinMs: 1 });
    expect(
      play(one, [
        [0, "a"],
        [0, "a"],
      ]),
    ).toEqual(["k:0-0", "k:0-0"]);
  });

  test("says the same as looking through all that came", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 15 }),
        (gaps, atLeast, withinMs) => {
          let now = 0;
          const times = gaps.map((gap) => {
            now += gap;
            return now;
          });
          let since: number[] = [];
          const expected: string[] = [];
          for (const at of times) {
            since = [...since, at].filter((time) => at - time <= withinMs);
            if (since.length < atLeast) continue;
            const [first] = since.slice(-atLeast);
            expected.push(`k:${first}-${at}`);
            since = [];
          }
          const matching = matchingOf({ type: "count", atLeast, withinMs });
          expect(
            play(
              matching,
              times.map((at) => [at, "a"]),
            ),
          ).toEqual(expected);
        },
      ),
    );
  });
});

describe("sequence", () => {
  const pattern: Plain = { type: "sequence", parts: 3, withinMs: 10 };
  const history = (text: string): Step[] => [...text].map((what, at) => [at, what]);
  test.each([
    { text: "abc", matches: ["k:0-2"] },
    { text: "bac", matches: [] },
    { text: "babc", matches: ["k:1-3"] },
    { text: "aabbcc", matches: ["k:1-4"] },
    { text: "abcabc", matches: ["k:0-2", "k:3-5"] },
    { text: "cab", matches: [] },
  ])("$text", ({ text, matches }) => {
    expect(play(matchingOf(pattern), history(text))).toEqual(matches);
  });

  test("a first that is too old does not hide a later one", () => {
    const steps: Step[] = [
      [0, "a"],
      [5, "a"],
      [6, "b"],
      [12, "c"],
    ];
    expect(play(matchingOf(pattern), steps)).toEqual(["k:5-12"]);
  });

  test("matches whenever some choice of events does", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.constantFrom("a", "b", "c")), {
          maxLength: 40,
        }),
        fc.integer({ min: 2, max: 12 }),
        (steps, withinMs) => {
          let now = 0;
          const timed = steps.map(([gap, what]): Step => {
            now += gap;
            return [now, what];
          });
          let seen: Step[] = [];
          let expected = 0;
          for (const [at, what] of timed) {
            seen.push([at, what]);
            if (what !== "c") continue;
            const isThere = seen.some(
              ([a, first], i) =>
                first === "a" &&
                at - a <= withinMs &&
                seen.slice(i + 1).some(([, second]) => second === "b"),
            );
            if (!isThere) continue;
            expected += 1;
            seen = [];
          }
          expect(play(matchingOf({ type: "sequence", parts: 3, withinMs }), timed)).toHaveLength(
            expected,
          );
        },
      ),
    );
  });
});

describe("all", () => {
  const pattern: Plain = { type: "all", parts: 2, withinMs: 10 };
  test.each<{ name: string; steps: Step[]; matches: string[] }>([
    {
      name: "in any order",
      steps: [
        [0, "b"],
        [3, "a"],
      ],
      matches: ["k:0-3"],
    },
    {
      name: "the last of each counts",
      steps: [
        [0, "a"],
        [9, "a"],
        [12, "b"],
      ],
      matches: ["k:9-12"],
    },
    {
      name: "not when one is too old",
      steps: [
        [0, "a"],
        [11, "b"],
      ],
      matches: [],
    },
  ])("$name", ({ steps, matches }) => {
    expect(play(matchingOf(pattern), steps)).toEqual(matches);
  });
});

describe("absence", () => {
  const pattern: Plain = { type: "absence", withinMs: 5 };
  test.each<{ name: string; steps: Step[]; until: number; matches: string[] }>([
    { name: "nothing follows", steps: [[0, "a"]], until: 6, matches: ["k:0-5"] },
    { name: "not before its time", steps: [[0, "a"]], until: 5, matches: [] },
    {
      name: "what comes at the last moment is in time",
      steps: [
        [0, "a"],
        [5, "b"],
      ],
      until: 99,
      matches: [],
    },
    {
      name: "it is waited for from the first time on",
      steps: [
        [0, "a"],
        [3, "a"],
      ],
      until: 99,
      matches: ["k:0-5"],
    },
    {
      name: "it may begin again",
      steps: [
        [0, "a"],
        [1, "b"],
        [2, "a"],
      ],
      until: 99,
      matches: ["k:2-7"],
    },
  ])("$name", ({ steps, until, matches }) => {
    expect(play(matchingOf(pattern), steps, until)).toEqual(matches);
  });
});

describe("windows of time", () => {
  const aggregates = [
    { name: "sum", type: "sum" },
    { name: "most", type: "max" },
  ] as const;

  test("tumbling windows follow each other, whenever the first event came", () => {
    const matching = matchingOf({ type: "tumbling", everyMs: 10, aggregates });
    const steps: Step[] = [
      [3, "a", 1],
      [9, "a", 5],
      [10, "a", 2],
    ];
    expect(play(matching, steps, 20)).toEqual(["k:0-10", "k:10-20"]);
  });

  test("a session ends when nothing has come for longer than its gap", () => {
    const matching = matchingOf({ type: "session", gapMs: 5, aggregates });
    const steps: Step[] = [
      [0, "a", 1],
      [5, "a", 1],
      [11, "a", 1],
    ];
    expect(play(matching, steps, 17)).toEqual(["k:0-5", "k:11-11"]);
  });

  test("aggregates are those of the events in the window", () => {
    const matching = matchingOf({ type: "session", gapMs: 5, aggregates });
    for (const [at, value] of [
      [0, 3],
      [2, -1],
    ] as const)
      matching.take("file/rule", { key: "k", part: 0, values: [value, value] }, at);
    expect(matching.due(8)?.match).toEqual({
      key: "k",
      since: 0,
      until: 2,
      count: 2,
      values: { sum: 2, most: 3 },
    });
  });

  test("a sliding window holds what came in its buckets", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: -5, max: 5 })), {
          maxLength: 40,
        }),
        (steps) => {
          const matching = matchingOf({ type: "sliding", withinMs: 20, buckets: 4, aggregates });
          const seen: [number, number][] = [];
          let now = 0;
          for (const [gap, value] of steps) {
            now += gap;
            seen.push([now, value]);
            const [match] = matching.take(
              "file/rule",
              { key: "k", part: 0, values: [value, value] },
              now,
            );
            const inside = seen.filter(([at]) => Math.floor(at / 5) > Math.floor(now / 5) - 4);
            expect(match?.count).toBe(inside.length);
            expect(match?.values).toEqual({
              sum: inside.reduce((sum, [, each]) => sum + each, 0),
              most: Math.max(...inside.map(([, each]) => each)),
            });
          }
        },
      ),
    );
  });
});

test("throttle lets the first through, and the first after its time", () => {
  const matching = matchingOf({ type: "throttle", everyMs: 10 });
  const steps = [0, 1, 9, 10, 19, 25].map((at): Step => [at, "a"]);
  expect(play(matching, steps)).toEqual(["k:0-0", "k:10-10", "k:25-25"]);
});

test("debounce tells the last of a burst", () => {
  const matching = matchingOf({ type: "debounce", quietMs: 5 });
  for (const [at, what] of [
    [0, "first"],
    [5, "last"],
  ] as const)
    matching.take("file/rule", { key: "k", part: 0, kept: what }, at);
  expect(matching.due(10)).toBeNull();
  expect(matching.due(11)?.match).toEqual({
    key: "k",
    since: 0,
    until: 5,
    count: 2,
    kept: "last",
  });
});

test("join gives each pair in time, whichever side came first", () => {
  const matching = matchingOf({ type: "join", withinMs: 10, keep: 2 });
  const take = (what: string, at: number) =>
    matching.take("file/rule", contributionOf(what, undefined), at).map(({ kept }) => kept);
  expect(take("a", 0)).toEqual([]);
  expect(take("b", 5)).toEqual([["a", "b"]]);
  expect(take("b", 11)).toEqual([]);
  expect(take("a", 12)).toEqual([
    ["a", "b"],
    ["a", "b"],
  ]);
});

describe("bounds", () => {
  const pattern: Plain = { type: "count", atLeast: 2, withinMs: 100 };
  test("the window that was touched least lately makes room, and is counted", () => {
    const matching = matchingOf(pattern, { keysMax: 2 } as never);
    const steps: Step[] = [
      [0, "x/a"],
      [1, "y/a"],
      [2, "z/a"],
      [3, "y/a"],
      [4, "x/a"],
    ];
    expect(play(matching, steps)).toEqual(["y:1-3"]);
    expect(matching.counts()).toEqual([{ rule: "file/rule", open: 2, dropped: 1, refused: 0 }]);
  });

  test("or a new key is refused, and counted", () => {
    const matching = matchingOf(pattern, { keysMax: 1, overflow: "refuse" } as never);
    const steps: Step[] = [
      [0, "x/a"],
      [1, "y/a"],
      [2, "y/a"],
      [3, "x/a"],
    ];
    expect(play(matching, steps)).toEqual(["x:0-3"]);
    expect(matching.counts()).toMatchObject([{ refused: 2 }]);
  });

  test("windows that cannot match any more make room by themselves", () => {
    const matching = matchingOf(pattern);
    for (let at = 0; at < 10_000; at += 10)
      matching.take("file/rule", { key: `${at}`, part: 0 }, at);
    expect(matching.counts()).toEqual([{ rule: "file/rule", open: 11, dropped: 0, refused: 0 }]);
  });

  test("what made room for another is not due any more", () => {
    const matching = matchingOf({ type: "absence", withinMs: 5 }, { keysMax: 1 } as never);
    const steps: Step[] = [
      [0, "x/a"],
      [1, "y/a"],
    ];
    expect(play(matching, steps, 99)).toEqual(["y:1-6"]);
  });
});

const plain = fc.constantFrom<Plain>(
  { type: "count", atLeast: 3, withinMs: 20 },
  { type: "sequence", parts: 3, withinMs: 20 },
  { type: "all", parts: 2, withinMs: 10 },
  { type: "absence", withinMs: 7 },
  { type: "throttle", everyMs: 9 },
  { type: "debounce", quietMs: 4 },
  { type: "join", withinMs: 12, keep: 2 },
  {
    type: "sliding",
    withinMs: 20,
    buckets: 4,
    aggregates: [{ name: "mean", type: "mean" }],
  },
  { type: "tumbling", everyMs: 10, aggregates: [{ name: "last", type: "last" }] },
  { type: "session", gapMs: 6, aggregates: [{ name: "least", type: "min" }] },
);

test("a matching that was saved and loaded at any moment goes on as the one that was not", () => {
  fc.assert(
    fc.property(
      plain,
      fc.array(
        fc.tuple(
          fc.integer({ min: 0, max: 6 }),
          fc.constantFrom("x", "y", "z"),
          fc.constantFrom("a", "b", "c"),
        ),
        { maxLength: 40 },
      ),
      fc.nat(40),
      (pattern, steps, cut) => {
        const parts = "parts" in pattern ? pattern.parts : 2;
        let now = 0;
        const history = steps.flatMap(([gap, key, part]): Step[] => {
          now += gap;
          return part.charCodeAt(0) - 97 < parts ? [[now, `${key}/${part}`, now]] : [];
        });
        const whole = matchingOf(pattern, { keysMax: 2 } as never);
        const first = matchingOf(pattern, { keysMax: 2 } as never);
        const second = new Matching();
        const told = play(first, history.slice(0, cut), history[cut - 1]?.[0] ?? 0);
        second.load(JSON.parse(JSON.stringify(first.save())));
        expect([...told, ...play(second, history.slice(cut), 1e6)]).toEqual(
          play(whole, history, 1e6),
        );
      },
    ),
  );
});

test("a pattern that stays goes on, one that changed begins anew", () => {
  const count = (atLeast: number): PatternDescription => ({
    ...bounds,
    type: "count",
    atLeast,
    withinMs: 100,
  });
  const matching = new Matching();
  matching.bring(
    new Map([
      ["f/stays", count(2)],
      ["f/changes", count(2)],
    ]),
  );
  for (const rule of ["f/stays", "f/changes"]) matching.take(rule, { key: "", part: 0 }, 1);
  const ended = matching.bring(
    new Map([
      ["f/stays", count(2)],
      ["f/changes", count(1)],
    ]),
  );
  expect(ended).toBe(1);
  expect(matching.take("f/stays", { key: "", part: 0 }, 2)).toHaveLength(1);
  expect(matching.counts()).toMatchObject([{ rule: "f/changes", open: 0 }, { rule: "f/stays" }]);
});
