import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  events,
  field,
  halonctl,
  project,
  startNode,
  temporaryDirectory,
  waitFor,
} from "./cluster.ts";

afterEach(cleanUp);

const rules = `import { count, defineEvent, defineInvariant, defineRules, on, z } from "@halon/rules";
const Slow = defineEvent({
  type: "Slow", version: 2, schema: z.strictObject({ of: z.string(), ms: z.number() }),
  from: { 1: (old: { of: string }) => ({ ...old, ms: 1 }) },
});
export default defineRules((options) => ({
  many: on(count(Slow, { atLeast: options.answers, within: "1h", by: ({ of }) => of }))
    .do(({ match, update }) => update.put<string>("Marked", match.key, {})),
}), {
  options: z.strictObject({ answers: z.number().int().min(2).default(3) }),
  resources: { Marked: z.strictObject({}) },
  invariants: [defineInvariant("none-marked", {
    reads: ["Marked"],
    holds: ({ graph }) => graph.list("Marked").length === 0 || "one is marked",
  })],
});
`;

const cluster = (options: string) => `import { defineCluster } from "@halon/service";
export default defineCluster({ rules: [{ file: "./slow.rules.ts", options: ${options} }] });
`;

test("options come with the cluster file and are changed at run time, events of two versions count together, and an invariant tells", async () => {
  const directory = temporaryDirectory();
  const write = (options: string, name: string) =>
    project(join(directory, name), { "cluster.ts": cluster(options), "slow.rules.ts": rules });
  const { endpoint } = await startNode(join(directory, "data"));

  const refused = await halonctl(endpoint, "apply", "-f", write('{ answers: "x" }', "bad"));
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(
    'slow.rules.ts: options.answers: expected number, got "x". The file takes answers (integer from 2, default 3)',
  );

  await ctl(endpoint, "apply", "-f", write("{ answers: 9 }", "good"));
  await ctl(endpoint, "rule", "options", "slow", "answers=2");
  const shown = await ctl(endpoint, "rule", "show", "slow");
  expect(shown).toContain("option answers: 2 (integer from 2, default 3)");
  expect(shown).toContain("invariant none-marked: holds");

  const bad = await halonctl(endpoint, "rule", "options", "slow", "answers=1");
  expect(bad.code).toBe(2);
  expect(bad.stderr).toContain("options.answers: Too small");

  await ctl(endpoint, "event", "emit", "Slow", '{"of":"a"}', "--of-version", "1");
  await ctl(endpoint, "event", "emit", "Slow", '{"of":"a","ms":700}');
  const unknown = await halonctl(endpoint, "event", "emit", "Slow", "{}", "--of-version", "3");
  expect(unknown.stderr).toContain("Slow has the versions 1, 2 here, the event has version 3");

  const [broken] = await waitFor("the invariant to be broken", async () => {
    const found = await events(endpoint, "InvariantBroken");
    return found.length === 0 ? undefined : found;
  });
  expect(broken && field(broken, "reason")).toBe("one is marked");
  expect(await ctl(endpoint, "rule", "show", "slow")).toContain(
    "invariant none-marked: broken: one is marked",
  );
});
