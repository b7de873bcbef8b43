/** Scenarios on rules of a single step; the table is in README.md. */
import { defineEvent, defineRules, events, on, z } from "@halon/rules";
import { expect, test } from "vitest";
import { Engine } from "./engine.ts";

const schema = z.strictObject({ n: z.number() });
const Went = defineEvent({ type: "Went", schema });
const Other = defineEvent({ type: "Other", schema });
const Told = defineEvent({ type: "Told", schema: z.strictObject({ text: z.string() }) });
const declares = { events: [Told], resources: { Thing: z.looseObject({}) } };

test("1: what a rule remembers and puts into the graph, a later rule sees in the same decision", () => {
  const engine = new Engine(
    defineRules(
      {
        first: on(Went).do(({ event, memory, update }) => {
          memory.set("last", event.n);
          update.put<string>("Thing", "t", { n: event.n });
        }),
        second: on(Went).do(({ graph, memory, publish }) => {
          const thing = graph.get<string>("Thing", "t");
          publish(Told, { text: `${memory.get("last")} ${JSON.stringify(thing?.attributes)}` });
        }),
      },
      declares,
    ),
  );
  engine.send(Went, { n: 3 });
  expect(engine.told(Told)).toEqual([{ text: '3 {"n":3}' }]);
});

test("22: the built-in rules act before those of files", () => {
  const engine = new Engine(
    defineRules(
      {
        look: on(events.RuleEnableRequested).do(({ event, graph, publish }) => {
          const operation = graph.get("Operation", event.operation);
          publish(Told, { text: `${operation?.attributes.state}` });
        }),
      },
      declares,
    ),
  );
  engine.ask("RuleEnableRequested", { file: "file" });
  expect(engine.told(Told)).toEqual([{ text: "done" }]);
});

test("23: what the built-in rules have acted on, rules of files get too", () => {
  const engine = new Engine(
    defineRules({ look: on(events.RuleEnableRequested).do(({ why }) => why("heard")) }),
  );
  engine.ask("RuleEnableRequested", { file: "file" });
  const heard = engine.decisions.find(({ event }) => event.type === "RuleEnableRequested");
  const rules = heard?.firings.map(({ rule }) => rule);
  expect(rules).toHaveLength(2);
  expect(rules?.at(-1)).toBe("file/look");
});

test("25: nothing of a burst is lost, whether it is one record or many", () => {
  const engine = new Engine(
    defineRules({
      sum: on(Went).do(({ event, memory }) => {
        memory.set("sum", Number(memory.get("sum") ?? 0) + event.n);
      }),
    }),
  );
  const burst = Array.from({ length: 1_000 }, (_, n) => [Went, { n }] as const);
  const replies = engine.sendAll(burst);
  for (const [event, data] of burst.slice(0, 50)) engine.send(event, data);
  expect(replies.every(({ type }) => type === "accepted")).toBe(true);
  expect(engine.fired("file/sum")).toHaveLength(1_050);
  expect(engine.state.memories.get("file")?.get("sum")).toBe(499_500 + 1_225);
});

test("26: two rules on one type of event both act, in the order in which they stand", () => {
  const say = (text: string) =>
    on(Went).do(({ publish }) => {
      publish(Told, { text });
    });
  const engine = new Engine(defineRules({ one: say("one"), two: say("two") }, declares));
  engine.send(Went, { n: 1 });
  expect(engine.told(Told)).toEqual([{ text: "one" }, { text: "two" }]);
});

test("28: a rule file that is taken out of force acts no more, the others go on", () => {
  const note = defineRules({ note: on(Went).do(({ why }) => why("noted")) });
  const engine = new Engine({ a: note, b: note });
  engine.ask("RuleDisableRequested", { file: "a" });
  engine.send(Went, { n: 1 });
  expect([engine.fired("a/note"), engine.fired("b/note")]).toEqual([[], ["noted"]]);
});

test("29: whoever follows the log gets each event with what rules made of it, after the commit", () => {
  const engine = new Engine(defineRules({ note: on(Went).do(({ why }) => why("noted")) }));
  engine.send(Went, { n: 7 });
  // The records here are those that a follower reads from the log.
  expect(engine.records.at(-1)?.decisions).toMatchObject([
    { event: { type: "Went", data: { n: 7 } }, firings: [{ rule: "file/note", why: "noted" }] },
  ]);
});

test("30: whoever follows the log gets what rules publish, with the event that it comes of", () => {
  const engine = new Engine(
    defineRules({ say: on(Went).do(({ publish }) => publish(Told, { text: "said" })) }, declares),
  );
  engine.send(Went, { n: 1 });
  const [went, told] = engine.records.at(-1)?.decisions ?? [];
  expect(told).toMatchObject({
    event: { type: "Told", source: "rule/file/say", data: { text: "said" } },
    origin: { type: "derived", of: went?.event.id },
  });
});

test("31: events of a file that is out of force are refused, and nobody gets them", () => {
  const engine = new Engine(defineRules({ note: on(Went).do(({ why }) => why("noted")) }));
  engine.ask("RuleDisableRequested", { file: "file" });
  expect(engine.send(Went, { n: 1 })).toMatchObject({
    type: "refused",
    error: { code: "HAL_EVENT_UNKNOWN" },
  });
  expect(engine.told(Went)).toEqual([]);
});

test("38: each step of a rule is one firing with its reason, in the record that has the event", () => {
  const engine = new Engine(defineRules({ note: on(Went).do(({ why }) => why("noted")) }));
  engine.sendAll([
    [Went, { n: 1 }],
    [Went, { n: 2 }],
  ]);
  const firings = engine.records.at(-1)?.decisions.map((decision) => decision.firings);
  expect(firings).toMatchObject([
    [{ rule: "file/note", why: "noted" }],
    [{ rule: "file/note", why: "noted" }],
  ]);
});

test("39: what a rule throws undoes what it did for this event, and is told; one that catches goes on", () => {
  const engine = new Engine(
    defineRules(
      {
        throws: on(Went).do(({ update, memory }) => {
          update.put<string>("Thing", "t", {});
          memory.set("m", 1);
          throw new Error("on purpose");
        }),
        catches: on(Went).do(({ update, publish }) => {
          try {
            update.edit("Thing", "t", () => undefined);
          } catch {
            publish(Told, { text: "there is none" });
          }
        }),
      },
      declares,
    ),
  );
  engine.send(Went, { n: 1 });
  expect(engine.told(events.RuleFailed)).toMatchObject([
    { rule: "file/throws", reason: expect.stringContaining("on purpose") },
  ]);
  expect(engine.state.memories.get("file")?.get("m")).toBeUndefined();
  expect(engine.told(Told)).toEqual([{ text: "there is none" }]);
});

test("40: an event that nobody knows is a dead letter with its reason; from a client it is refused", () => {
  const engine = new Engine(defineRules({ note: on(Went).do(({ why }) => why("noted")) }));
  engine.observe("Strange", {});
  expect(engine.state.deadLetters).toMatchObject([
    { event: { type: "Strange" }, reason: expect.stringContaining("Strange") },
  ]);
  expect(engine.send(Other, { n: 1 })).toMatchObject({ type: "refused" });
  expect(engine.told(Other)).toEqual([]);
});

test("41: a condition that throws fails its rule for this event, and is told; other rules and events go on", () => {
  const engine = new Engine(
    defineRules({
      partial: on(Went)
        .where(({ event }) => {
          if (event.n === 1) return true;
          throw new Error(`no case for ${event.n}`);
        })
        .do(({ why }) => why("one")),
      whole: on(Went).do(({ why }) => why("whole")),
    }),
  );
  for (const n of [1, 2, 1]) engine.send(Went, { n });
  expect(engine.fired("file/whole")).toHaveLength(3);
  expect(engine.fired("file/partial").filter((why) => why === "one")).toHaveLength(2);
  expect(engine.told(events.RuleFailed)).toMatchObject([
    { rule: "file/partial", reason: expect.stringContaining("no case for 2") },
  ]);
});
