import { expect, test } from "vitest";
import { type RuleFileTypes, ruleContradictionIn } from "./rule-contradiction.ts";

const events = (...types: readonly string[]) => types.map((type) => ({ type }));
const onNodes = (name: string, hears: readonly string[], publishes: readonly string[] = []) => ({
  name,
  runs: "node" as const,
  hears: [...hears],
  events: events(...hears, ...publishes),
});
const inLog = (name: string, ...types: readonly string[]): RuleFileTypes => ({
  name,
  events: events(...types),
});

const isFine = undefined;
const bothNamed = /^rule file a takes T on each node, and rule file b has it in the decision log/;

test.each([
  {
    what: "types of their own",
    rules: [onNodes("a", ["T"], ["U"]), inLog("b", "U")],
    found: isFine,
  },
  {
    what: "one type, both on nodes",
    rules: [onNodes("a", ["T"]), onNodes("b", ["T"])],
    found: isFine,
  },
  { what: "a type of the log", rules: [onNodes("a", ["T"]), inLog("b", "T")], found: bothNamed },
  {
    what: "a type that another publishes",
    rules: [onNodes("a", ["T"]), onNodes("b", [], ["T"])],
    found: bothNamed,
  },
])("rule files with $what", ({ rules, found }) => {
  const said = ruleContradictionIn({ rules, prune: false }, []);
  if (found === undefined) expect(said).toBeUndefined();
  else expect(said).toMatch(found);
});

test("files of the cluster count as long as the cluster file leaves and does not replace them", () => {
  const rules = [onNodes("a", ["T"])];
  const known = [inLog("b", "T")];
  expect(ruleContradictionIn({ rules, prune: false }, known)).toMatch(bothNamed);
  expect(ruleContradictionIn({ rules, prune: true }, known)).toBeUndefined();
  const replaced = [...rules, inLog("b", "U")];
  expect(ruleContradictionIn({ rules: replaced, prune: false }, known)).toBeUndefined();
});
