import { defineEvent } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineRules } from "../define-rules.ts";
import {
  absence,
  aggregate,
  count,
  debounce,
  sequence,
  session,
  sliding,
  throttle,
  tumbling,
} from "../pattern/patterns.ts";
import { on } from "../rule.ts";
import { Processor, throwsMax } from "./engine.ts";
import { onNode } from "./node-rules.ts";

const schema = z.strictObject({ node: z.string(), ms: z.number() });
const Sample = defineEvent({ type: "Sample", schema });
const Other = defineEvent({ type: "Other", schema });
const Said = defineEvent({ type: "Said", schema: z.strictObject({ text: z.string() }) });
const by = (e: { readonly node: string }): string => e.node;

type Rules = ReturnType<typeof defineRules>;

function rulesOf(rules: Parameters<typeof defineRules>[0], events = [Said]): Rules {
  return defineRules(rules as never, { runs: "node", events }) as Rules;
}

/** A processor with these files, all of version 1. */
function processor(files: Readonly<Record<string, Rules>>) {
  const ran: (string | null)[] = [];
  const engine = new Processor({ running: (file) => ran.push(file), locate: () => "here:1" });
  const bring = (given: Readonly<Record<string, Rules>>, version = "1") =>
    engine.bring(Object.entries(given).map(([name, rules]) => ({ name, version, rules })));
  bring(files);
  const say = (type: string, ms: number, now: number, node = "a"): readonly string[] => {
    while (engine.due(now, 10));
    engine.take({ type, data: { node, ms } }, now);
    return said();
  };
  const said = (): readonly string[] =>
    engine.takePublished().map(({ rule, data }) => `${rule}: ${(data as { text: string }).text}`);
  return { engine, bring, say, said, ran };
}

const echo = onNode(Sample).do(({ event, publish }) => publish(Said, { text: `${event.ms}` }));
const threw = onNode(Sample).do(({ event }) => {
  if (event.ms > 0) throw new Error(`of ${event.ms}`);
});

describe("what a rule of a node is given", () => {
  test("event, match, now, memory, publish and why; each event is given to the rules in their order", () => {
    const { say, engine } = processor({
      file: rulesOf({
        second: onNode(Sample)
          .where(({ event, now }) => event.ms < now)
          .do(({ event, now, memory, publish, why }) => {
            memory.set("sum", Number(memory.get("sum") ?? 0) + event.ms);
            publish(Said, { text: `${memory.get("sum")} at ${now}` });
            why("it was asked");
          }),
        first: onNode(Sample)
          .priority(1)
          .do(({ publish }) => publish(Said, { text: "first" })),
      }),
    });
    expect(say("Sample", 3, 10)).toEqual(["file/first: first", "file/second: 3 at 10"]);
    expect(say("Sample", 4, 20)).toEqual(["file/first: first", "file/second: 7 at 20"]);
    expect(say("Sample", 40, 30)).toEqual(["file/first: first"]);
    expect(engine.status()).toMatchObject([
      { taken: 3, fired: 5, lastWhy: "file/second: it was asked" },
    ]);
  });

  test.each(["graph", "command", "update", "timer", "job", "alert", "envelope", "wallTime"])(
    "no %s: its use throws with the name",
    (name) => {
      // Hidden from the look at the text.
      const use = (context: unknown): void => void (context as Record<string, unknown>)[name];
      const { say, engine } = processor({ file: rulesOf({ uses: onNode(Sample).do(use) }) });
      expect(say("Sample", 1, 1)).toEqual([]);
      expect(engine.status()[0]?.lastFailure).toContain(
        `TypeError: ${name} is not there for rules that run on nodes`,
      );
    },
  );

  test("what a rule that throws did is undone alone, and is told with its place", () => {
    const { say, engine } = processor({
      file: rulesOf({
        bad: onNode(Sample).do(({ memory, publish }) => {
          memory.set("k", 1);
          publish(Said, { text: "lost" });
          throw new Error("no");
        }),
        good: onNode(Sample).do(({ memory, publish }) =>
          publish(Said, { text: String(memory.get("k")) }),
        ),
      }),
    });
    expect(say("Sample", 1, 1)).toEqual(["file/good: undefined"]);
    expect(engine.status()).toMatchObject([
      { failed: 1, lastFailure: "file/bad: Error: no (here:1)" },
    ]);
  });

  test.each([
    {
      what: "of another type",
      type: Other,
      data: { node: "a", ms: 1 },
      reason: "not among the events",
    },
    { what: "not of its schema", type: Said, data: { text: 1 }, reason: "expected string" },
  ])("an event that is $what is not published", ({ type, data, reason }) => {
    const rules = {
      tells: onNode(Sample).do(({ publish }) => publish(type as never, data as never)),
    };
    const { say, engine } = processor({ file: rulesOf(rules) });
    expect(say("Sample", 1, 1)).toEqual([]);
    expect(engine.status()[0]?.lastFailure).toContain(reason);
  });
});

describe("patterns", () => {
  test("count, sliding and throttle match on an event; of each key by itself", () => {
    const tell = (name: string) => (context: { match: { key: string }; publish: unknown }) =>
      (context.publish as (type: typeof Said, data: { text: string }) => void)(Said, {
        text: `${name} ${context.match.key}`,
      });
    const { say } = processor({
      file: rulesOf({
        count: onNode(count(Sample, { atLeast: 2, within: "1s", by })).do(tell("count") as never),
        throttle: onNode(throttle(Sample, { every: "1s", by })).do(tell("throttle") as never),
        sliding: onNode(
          sliding(Sample, { within: "1s", by, aggregate: { sum: aggregate.sum((e) => e.ms) } }),
        )
          .where(({ match }) => match.values.sum > 10)
          .do(tell("sliding") as never),
      }),
    });
    expect(say("Sample", 6, 0, "a")).toEqual(["file/throttle: throttle a"]);
    expect(say("Sample", 6, 100, "b")).toEqual(["file/throttle: throttle b"]);
    expect(say("Sample", 6, 200, "a")).toEqual(["file/count: count a", "file/sliding: sliding a"]);
    expect(say("Sample", 6, 5_000, "a")).toEqual(["file/throttle: throttle a"]);
  });

  test("tumbling, session and debounce match by time alone, in its order, before an event that comes later", () => {
    const text = (name: string) => (context: { publish: unknown; now: number }) =>
      (context.publish as (type: typeof Said, data: { text: string }) => void)(Said, {
        text: `${name} ${context.now}`,
      });
    const sum = { sum: aggregate.sum<{ ms: number }>((e) => e.ms) };
    const { say, engine, said } = processor({
      file: rulesOf({
        tumbling: onNode(tumbling(Sample, { every: "1s", by, aggregate: sum })).do(
          text("tumbling") as never,
        ),
        session: onNode(session(Sample, { gap: "2s", by, aggregate: sum })).do(
          text("session") as never,
        ),
        debounce: onNode(debounce(Sample, { quiet: "3s", by })).do(text("debounce") as never),
      }),
    });
    say("Sample", 1, 500);
    expect(engine.firstDue).toBe(1_000);
    expect(say("Other", 1, 2_600)).toEqual([
      "file/tumbling: tumbling 2600",
      "file/session: session 2600",
    ]);
    expect(engine.due(3_500, 10)).toBe(false);
    expect(said()).toEqual([]);
    expect(engine.due(3_501, 10)).toBe(false);
    expect(said()).toEqual(["file/debounce: debounce 3501"]);
    expect(engine.firstDue).toBe(Number.POSITIVE_INFINITY);
  });

  test("what is due at once is taken in parts", () => {
    const sum = { sum: aggregate.sum<{ ms: number }>((e) => e.ms) };
    const pattern = tumbling(Sample, { every: "1s", by, aggregate: sum });
    const { engine, said } = processor({
      file: rulesOf({
        ends: onNode(pattern).do(({ match, publish }) => publish(Said, { text: match.key })),
      }),
    });
    for (const node of ["c", "a", "b"]) engine.take({ type: "Sample", data: { node, ms: 1 } }, 1);
    expect(engine.due(1_000, 2)).toBe(true);
    expect(said()).toEqual(["file/ends: a", "file/ends: b"]);
    expect(engine.due(1_000, 2)).toBe(false);
    expect(said()).toEqual(["file/ends: c"]);
  });
});

describe("a file in quarantine", () => {
  test("is out when it threw on 5 events in a row, alone; other versions of it begin anew", () => {
    const { say, engine, bring } = processor({ bad: rulesOf({ threw }), good: rulesOf({ echo }) });
    for (let n = 1; n < throwsMax; n += 1) say("Sample", n, n);
    say("Sample", 0, 9);
    expect(engine.takeFlaws()).toEqual([]);
    for (let n = 1; n <= throwsMax; n += 1) say("Sample", n, 9 + n);
    expect(engine.takeFlaws()).toEqual([
      {
        file: "bad",
        version: "1",
        reason: "its rules threw on 5 events in a row: bad/threw: Error: of 5 (here:1)",
      },
    ]);
    expect(say("Sample", 7, 99)).toEqual(["good/echo: 7"]);
    expect(engine.status()[0]).toMatchObject({ file: "bad", state: "quarantined" });
    bring({ bad: rulesOf({ threw }), good: rulesOf({ echo }) });
    expect(engine.status()[0]).toMatchObject({ state: "quarantined" });
    bring({ bad: rulesOf({ echo }) }, "2");
    expect(say("Sample", 8, 100)).toEqual(["bad/echo: 8"]);
  });

  test("is out when its memory passes its bound", () => {
    const grows = onNode(Sample).do(({ event, memory }) =>
      memory.set(`k${event.ms}`, "x".repeat(1_000_000)),
    );
    const { say, engine } = processor({ file: rulesOf({ grows }) });
    for (let n = 0; n < 16; n += 1) say("Sample", n, n);
    expect(engine.takeFlaws()).toEqual([]);
    say("Sample", 17, 17);
    expect(engine.takeFlaws()).toMatchObject([{ file: "file", reason: /^its memory has 17000/ }]);
    expect(engine.windows).toBe(0);
  });

  test("a step that is ended in the middle goes on behind the file that ran", () => {
    const stop = new Error("ended from outside");
    const files = { a: rulesOf({ echo }), b: rulesOf({ echo }), c: rulesOf({ echo }) };
    const ran: (string | null)[] = [];
    let isEnded = false;
    const engine = new Processor({
      running: (file) => {
        ran.push(file);
        if (file !== "b" || isEnded) return;
        isEnded = true;
        throw stop;
      },
      locate: () => null,
    });
    engine.bring(Object.entries(files).map(([name, rules]) => ({ name, version: "1", rules })));
    expect(() => engine.take({ type: "Sample", data: { node: "a", ms: 1 } }, 1)).toThrow(stop);
    expect(engine.interrupted()).toBe("b");
    engine.drop("b", "it loops");
    engine.goOn(1);
    expect(engine.takePublished().map(({ rule }) => rule)).toEqual(["a/echo", "c/echo"]);
    expect(engine.takeFlaws()).toEqual([{ file: "b", version: "1", reason: "it loops" }]);
    expect(engine.interrupted()).toBeNull();
  });
});

describe("files that come and go", () => {
  const counts = (atLeast: number): Rules =>
    rulesOf({
      counts: onNode(count(Sample, { atLeast, within: "1m", by })).do(({ match, publish }) =>
        publish(Said, { text: `${match.count}` }),
      ),
    });

  test("windows of an equal pattern go on in a new version, others end", () => {
    const { say, bring, engine } = processor({ file: counts(2) });
    say("Sample", 1, 1);
    expect(bring({ file: counts(2) }, "2")).toBe(0);
    expect(say("Sample", 1, 2)).toEqual(["file/counts: 2"]);
    say("Sample", 1, 3);
    expect(bring({ file: counts(3) }, "3")).toBe(1);
    say("Sample", 1, 4);
    expect(engine.windows).toBe(1);
    expect(bring({})).toBe(1);
    expect(say("Sample", 1, 5)).toEqual([]);
  });

  test("a matcher keeps at most so many windows, and counts those it dropped", () => {
    const few = onNode(count(Sample, { atLeast: 9, within: "1m", by, keys: 2 })).do(
      () => undefined,
    );
    const { say, engine } = processor({ file: rulesOf({ few }) });
    for (const node of ["a", "b", "c"]) say("Sample", 1, 1, node);
    expect(engine.status()).toMatchObject([{ windows: 2, dropped: 1 }]);
    expect(engine.forget("file")).toBe(2);
    expect(engine.windows).toBe(0);
  });
});

describe("a file that runs on nodes is refused when it is compiled", () => {
  const A = Sample;
  const act = (): void => undefined;
  test.each([
    {
      what: "a sequence",
      rule: onNode(sequence([A, Other], { within: "1s" })).do(act),
      reason: /^rule bad: sequence waits for/,
    },
    {
      what: "an absence",
      rule: onNode(absence(A, { after: Other, within: "1s" })).do(act),
      reason: /^rule bad: absence waits for/,
    },
    {
      what: "a statechart",
      rule: { kind: "statechart" } as never,
      reason: /^rule bad: a statechart/,
    },
    {
      what: "a rule that names the graph",
      rule: on(A).do(({ graph }) => void graph),
      reason: /^rule bad: it uses graph,/,
    },
    {
      what: "a rule that names a command behind the context",
      rule: on(A).do((context) => context.command.stop("x")),
      reason: /^rule bad: it uses command,/,
    },
    {
      what: "a condition that names the envelope",
      rule: on(A)
        .where(({ event: { ms }, envelope: { id } }) => ms > 1 && id !== "")
        .do(act),
      reason: /^rule bad: it uses envelope,/,
    },
  ])("$what", ({ rule, reason }) => {
    expect(() => rulesOf({ bad: rule })).toThrow(reason);
  });

  test("so is one that publishes what it takes, that is a function without options, and that has resources", () => {
    expect(() => rulesOf({ echo }, [Sample as never])).toThrow(/^events: the rules are on Sample/);
    expect(() => defineRules((() => ({})) as never, { runs: "node" } as never)).toThrow(
      /^options: .*need a schema of their options/,
    );
    expect(() => defineRules({ echo }, { runs: "node", resources: {} } as never)).toThrow(
      /no graph/,
    );
  });

  test("members of what it is given that have such a name are its own", () => {
    const own = onNode(Sample).do(({ event: { ms: graph }, memory }) => memory.set("job", graph));
    expect(rulesOf({ own }).hears).toEqual(["Sample"]);
  });
});
