import type { DecisionRecord, Json, TimerChange } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import type { ClusterInvariant, Scene } from "../../cluster/invariants/cluster-invariant.ts";
import { noCounts } from "../../counters.ts";
import { ViolationError } from "../../invariants/invariant.ts";
import type { LedTime, Passed } from "../led-time.ts";
import { allEnd } from "./all-end.ts";
import { endsOnce } from "./ends-once.ts";
import { latestByOutage, neverEarly } from "./in-time.ts";
import { stepsOnce } from "./steps-once.ts";

interface DecisionLike {
  readonly type: string;
  readonly data?: Json;
  readonly fires?: string;
  readonly remembers?: string;
  readonly timers?: readonly TimerChange[];
}

const ended = (key: string, outcome = "done"): DecisionLike => ({
  type: "JobEnded",
  data: { rule: "jobs/work", key, outcome, since: 0, requests: [] },
});
const stepped = (job: string, step: number): DecisionLike => ({
  type: "SimJobStepped",
  data: { job, step },
});

function recordOf(index: number, logTime: number, decisions: readonly DecisionLike[]) {
  return {
    index,
    epoch: 1,
    logTime,
    wallTime: 0,
    revision: 0,
    decisions: decisions.map(({ type, data = {}, fires, remembers, timers = [] }) => ({
      event: { id: "e", source: "s", type, version: 1, data },
      origin: fires === undefined ? { type: "derived", of: "e" } : { type: "timer", key: fires },
      settles: null,
      dead: null,
      firings: [
        {
          rule: "jobs/work",
          why: "",
          changes: [],
          memory: remembers === undefined ? [] : [{ key: `@job/work/${remembers}`, value: {} }],
          timers,
          commands: [],
          cancelled: [],
          published: [],
        },
      ],
    })),
  } as unknown as DecisionRecord;
}

/** What a rule says of records, each with these decisions; null when it holds. */
function brokenBy(rule: ClusterInvariant, ...records: (readonly DecisionLike[])[]): string | null {
  return thrownBy(() => {
    records.forEach((decisions, at) => {
      rule.beforeRecord?.(sceneOf(), recordOf(at + 1, at, decisions));
    });
  });
}

function sceneOf(): Scene {
  return { world: { counters: { ...noCounts } } } as unknown as Scene;
}

function thrownBy(act: () => void): string | null {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof ViolationError) return `${error.invariant}: ${error.message}`;
    throw error;
  }
}

describe("J1", () => {
  test("holds of jobs that end once", () => {
    const go: DecisionLike = { type: "Go", remembers: "a" };
    expect(brokenBy(endsOnce(), [go], [ended("a"), ended("b")])).toBeNull();
  });

  test.each([
    ["ends again", [[ended("a")], [ended("a")]], "J1: record 2 ends a again"],
    ["fails", [[ended("a", "timedOut")]], "J1: a ended as timedOut: "],
    [
      "goes on after its end",
      [[ended("a")], [{ type: "Go", remembers: "a" }]],
      "J1: record 2 goes on with a, which has ended",
    ],
  ])("is broken by one that %s", (_what, records, says) => {
    expect(brokenBy(endsOnce(), ...records)).toBe(says);
  });
});

describe("J2", () => {
  const steps = [1, 2, 3, 4].map((step) => stepped("a", step));

  test("holds of steps in order, whatever other jobs do", () => {
    expect(brokenBy(stepsOnce(), [stepped("b", 1), ...steps, ended("a")])).toBeNull();
  });

  test.each([
    ["missing", [stepped("a", 2)], "J2: record 1 has step 2 of a after step 0"],
    ["there twice", [steps[0], steps[0]], "J2: record 1 has step 1 of a after step 1"],
    ["missing at the end", [steps[0], ended("a")], "J2: a ends in record 1 after step 1"],
  ])("is broken by one that is %s", (_what, decisions, says) => {
    const some = decisions.flatMap((decision) => decision ?? []);
    expect(brokenBy(stepsOnce(), some)).toBe(says);
  });
});

/** A timer that waits for 1,000 ms of the log, and fires so much later by the log and by true time. */
function waited(rule: (led: LedTime) => ClusterInvariant, logMs: number, passed: Passed) {
  const led = {
    decided: (_: unknown, { index }: DecisionRecord) => (index === 1 ? begun : passed),
  };
  const looked = rule(led as unknown as LedTime);
  const event = { type: "Due", data: {} };
  const arm: TimerChange = { type: "arm", key: "t", due: 1_000, event };
  return thrownBy(() => {
    looked.beforeRecord?.(sceneOf(), recordOf(1, 0, [{ type: "Begin", timers: [arm] }]));
    looked.beforeRecord?.(sceneOf(), recordOf(2, logMs, [{ type: "Due", fires: "t" }]));
  });
}

const led = { unledUs: 0, gaps: 0, gapEndUs: Number.NEGATIVE_INFINITY, takeovers: 0 };
const begun: Passed = { ...led, us: 0 };

test("J3 is broken by a timer that is early, by true time or by the log, and by no other", () => {
  expect(waited(neverEarly, 1_000, { ...led, us: 985_000 })).toBeNull();
  expect(waited(neverEarly, 1_000, { ...led, us: 900_000 })).toMatch(/^J3: t fired after 900/);
  expect(waited(neverEarly, 999, { ...led, us: 1_000_000 })).toMatch(/^J3: t is due at 1000/);
});

test("J4 is broken by a timer that is later than nobody led, with what takeovers lose", () => {
  const late = { ...led, us: 4_000_000 };
  expect(waited(latestByOutage, 1_000, { ...late, unledUs: 3_000_000 })).toBeNull();
  expect(waited(latestByOutage, 1_000, { ...late, unledUs: 2_000_000 })).toMatch(/^J4: t fired/);
  const twice = { ...late, unledUs: 2_000_000, takeovers: 2 };
  expect(waited(latestByOutage, 1_000, twice)).toBeNull();
  const gap = { ...led, us: 3_300_000, unledUs: 2_000_000 };
  expect(waited(latestByOutage, 1_000, { ...gap, gaps: 1 })).toBeNull();
  expect(waited(latestByOutage, 1_000, { ...gap, gaps: 0 })).toMatch(/^J4: t fired/);
});

describe("J5", () => {
  const settings = { count: 1, fromUs: 0, overUs: 1, waitsMs: [1], arrivals: 0 };
  const leaving = (
    memory: readonly (readonly [string, Json])[],
    timers: readonly string[] = [],
  ) => {
    const rule = allEnd(settings);
    const committed = {
      memories: new Map([["jobs", new Map(memory)]]),
      timers: { toJSON: () => timers.map((key) => ({ key })) },
    };
    return thrownBy(() => rule.atEnd?.({ committed } as unknown as Scene));
  };

  test("waits for jobs that go on", () => {
    const rule = allEnd(settings);
    expect(rule.missing?.(sceneOf())).toBe("1 of 1 jobs go on");
    rule.beforeRecord?.(sceneOf(), recordOf(1, 0, [ended("a")]));
    expect(rule.missing?.(sceneOf())).toBeNull();
  });

  test("is broken by what is left of them", () => {
    expect(leaving([["steps", 4]])).toBeNull();
    expect(leaving([["steps", 5]])).toMatch(/^J5: 5 steps are counted/);
    const asked = ["@asked/work/a/0", 1] as const;
    expect(leaving([["steps", 4], asked])).toMatch(/^J5: .* is remembered/);
    expect(leaving([["steps", 4]], ["jobs/@deadline/work/a"])).toMatch(/^J5: .* is armed/);
  });
});
