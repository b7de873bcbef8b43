/** Scenarios on patterns over time; the table is in README.md. */
import { all, defineEvent, defineRules, on, sequence, z } from "@halon/rules";
import { expect, test } from "vitest";
import { Engine } from "./engine.ts";

const schema = z.strictObject({ n: z.number() });
const A = defineEvent({ type: "A", schema });
const B = defineEvent({ type: "B", schema });
const C = defineEvent({ type: "C", schema });

const inOrder = () =>
  defineRules({
    both: on(sequence([A, B], { within: "1m" })).do(({ match, event, why }) =>
      why(`${match.since} to ${match.until}, B ${event.n}`),
    ),
    other: on(C).do(({ why }) => why("C")),
  });

test("12: A and then B is a match", () => {
  const engine = new Engine(inOrder());
  engine.send(A, { n: 1 });
  engine.run(10);
  engine.send(B, { n: 2 });
  expect(engine.fired("file/both")).toEqual(["0 to 10, B 2"]);
});

test("13: of B, A, B the second B is the match; the first is not kept for later", () => {
  const engine = new Engine(inOrder());
  engine.send(B, { n: 1 });
  engine.run(5);
  engine.send(A, { n: 2 });
  engine.run(5);
  engine.send(B, { n: 3 });
  engine.send(A, { n: 4 });
  expect(engine.fired("file/both")).toEqual(["5 to 10, B 3"]);
});

test("13: where the order does not matter, `all` takes B before A", () => {
  const engine = new Engine(
    defineRules({
      both: on(all([A, B], { within: "1m" })).do(({ match, why }) => why(`since ${match.since}`)),
    }),
  );
  engine.send(B, { n: 1 });
  engine.run(5);
  engine.send(A, { n: 2 });
  expect(engine.fired("file/both")).toEqual(["since 0"]);
});

test("14: an event between the parts of a sequence is lost for nobody", () => {
  const engine = new Engine(inOrder());
  engine.send(A, { n: 1 });
  engine.send(C, { n: 2 });
  engine.send(B, { n: 3 });
  expect([engine.fired("file/other"), engine.fired("file/both")]).toEqual([["C"], ["0 to 0, B 3"]]);
  expect(engine.dead).toEqual([]);
});
