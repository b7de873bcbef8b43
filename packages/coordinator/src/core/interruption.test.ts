import { describe, expect, test } from "vitest";
import { going, LoopWorld } from "../../testdata/loop-world.ts";
import { clusterSpec, hashLike } from "../../testdata/samples.ts";
import { blame, paceAfter, stepDeadlineMs } from "./interruption.ts";

const looped = { code: "file", ranMs: 390, deadlineMs: stepDeadlineMs, cpuMs: 395 };

describe("of a step that was ended", () => {
  test.each([
    { name: "the code that ran for most of it is to blame", found: looped, blamed: "file" },
    { name: "nobody is, when no rule file ran", found: { ...looped, code: null }, blamed: null },
    {
      name: "code that ran for a moment of it is not, among many events",
      found: { ...looped, ranMs: 20 },
      blamed: null,
    },
    {
      name: "nobody is, when the whole process had hardly any CPU",
      found: { ...looped, cpuMs: 60 },
      blamed: null,
    },
  ])("$name", ({ found, blamed }) => {
    expect(blame(found, 500)).toBe(blamed);
  });

  test("code that ran for a moment is to blame when the step had one event", () => {
    expect(blame({ ...looped, ranMs: 20 }, 1)).toBe("file");
  });

  test("code that ran for a moment is to blame when no more time can be given", () => {
    expect(blame({ ...looped, ranMs: 20, deadlineMs: 25_600 }, 2)).toBe("file");
  });

  test("fewer events are decided next time when nobody was, for longer, and soon as many as before", () => {
    let pace = { inputs: 512, deadlineMs: stepDeadlineMs };
    const inputs = [];
    for (const outcome of ["long", "long", "done", "done"] as const) {
      pace = paceAfter(pace, outcome, 512);
      inputs.push(pace.inputs);
    }
    expect(inputs).toEqual([16, 1, 2, 4]);
    expect(paceAfter(pace, "long", 512).deadlineMs).toBe(2 * stepDeadlineMs);
    expect(pace.deadlineMs).toBe(stepDeadlineMs);
  });
});

describe("a loop whose step was ended", () => {
  /** A loop with two events under way, whose rule file is in the graph. */
  function interrupted(before: (world: LoopWorld) => void = () => undefined): LoopWorld {
    const world = new LoopWorld();
    const rules = [
      {
        name: "file",
        blob: hashLike("file"),
        rules: ["go"],
        events: [{ type: "Go", version: 1, schema: {} }],
        resources: {},
      },
    ];
    const data = { operation: "op", spec: clusterSpec([], { rules }) } as never;
    const event = { type: "ClusterApplied", version: 1, data };
    world.take(world.core.submit({ type: "client", id: "op", event }, 99));
    world.turn();
    world.finish();
    const versions = new Map([["file", { file: "file", blob: hashLike("file") }]]);
    world.take(world.core.rulesBrought({ ...world.rules, versions }, []));
    before(world);
    world.go();
    return world;
  }

  test("recovers the state, says in the next record that the file takes no part, and keeps its events", () => {
    const world = interrupted();
    const before = world.log.length;
    expect(world.core.deadlineMs).toBe(stepDeadlineMs);
    world.isTurnDue = false;
    world.take(world.core.interrupted(looped));
    expect(world.underWay?.type).toBe("recover");
    world.finish();
    world.finish();
    const { decisions } = JSON.parse(world.log[before] ?? "{}");
    expect(decisions.map(({ event }: { event: { type: string } }) => event.type)).toEqual([
      "RuleFileFailed",
      "AlertRaised",
      "Go",
    ]);
    expect(decisions[2]).toMatchObject({ kept: "file", dead: null, firings: [] });
    expect(world.underWay?.type).toBe("bringRules");
    expect(world.core.state.kept.of("file")).toHaveLength(1);
  });

  test("blames no code for a moment of a step in which several timers were due, as after an outage", () => {
    const world = interrupted(({ core }) => {
      const event = { type: "Go", data: {} };
      for (const key of ["file/a", "file/b"]) core.state.timers.arm({ key, due: 0, event });
    });
    world.turn();
    world.take(world.core.interrupted({ ...looped, ranMs: 12 }));
    expect(world.core.deadlineMs).toBe(2 * stepDeadlineMs);
    world.finish();
    world.finish();
    expect(world.log.join()).not.toContain("RuleFileFailed");
  });

  test("decides the same events once more when nobody was to blame, each answered once", () => {
    const world = interrupted();
    world.take(world.core.submit(going("second"), 100));
    world.isTurnDue = false;
    world.take(world.core.interrupted({ ...looped, code: null }));
    expect(world.core.deadlineMs).toBe(2 * stepDeadlineMs);
    world.finish();
    world.finish();
    const answers = world.told.filter(({ type }) => type === "reply");
    expect(answers).toHaveLength(3);
    expect(world.core.state.kept.size).toBe(0);
    expect(world.core.state.outbox.size).toBe(2);
  });
});
