import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../runtime/testing.ts";
import { compileCluster } from "./compile-cluster.ts";
import { compileRuleFile } from "./compile-rules.ts";

const head = `import { absence, count, defineEvent, defineRules, on, onNode, z } from "@halon/rules";
const schema = z.strictObject({ n: z.number() });
const Sample = defineEvent({ type: "Sample", schema });
const Many = defineEvent({ type: "Many", schema });
`;

function write(directory: string, name: string, text: string): string {
  writeFileSync(join(directory, name), `${head}${text}`);
  return join(directory, name);
}

const nodeFile = (rule: string): string =>
  `export default defineRules({ mine: ${rule} }, { runs: "node", events: [Many] });`;

test("a rule file that runs on nodes is read with what it takes and what it publishes", async () => {
  const rule =
    "onNode(count(Sample, { atLeast: 2, within: 9 })).do(({ publish }) => publish(Many, { n: 2 }))";
  const { manifest } = await compileRuleFile(
    write(temporaryDirectory(), "load.rules.ts", nodeFile(rule)),
  );
  expect(manifest).toMatchObject({
    name: "load",
    runs: "node",
    hears: ["Sample"],
    rules: ["mine"],
  });
  expect(manifest.events.map(({ type }) => type)).toEqual(["Sample", "Many"]);
});

test.each([
  {
    what: "a pattern that waits",
    rule: 'onNode(absence(Sample, { after: Many, within: "1s" })).do(() => undefined)',
    reason: /rule mine: absence waits for what may come later/,
  },
  {
    what: "the graph in its context",
    rule: "on(Sample).do(({ graph, why }) => why(String(graph.revision)))",
    reason: /rule mine: it uses graph, which is not there for rules that run on nodes/,
  },
])("one with $what is refused with the rule and the place", async ({ rule, reason }) => {
  const path = write(temporaryDirectory(), "load.rules.ts", nodeFile(rule));
  const failure = await compileRuleFile(path).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "HAL_CONFIG_INVALID" });
  expect((failure as Error).message).toMatch(reason);
  expect((failure as Error).message).toContain("load.rules.ts:5");
});

test("a cluster file with a type both on nodes and in the log is refused with both files", async () => {
  const directory = temporaryDirectory();
  write(directory, "load.rules.ts", nodeFile("onNode(Sample).do(() => undefined)"));
  write(
    directory,
    "log.rules.ts",
    "export default defineRules({ mine: on(Sample).do(() => undefined) });",
  );
  const cluster = { services: [], rules: ["./load.rules.ts", "./log.rules.ts"] };
  await expect(compileCluster(cluster, directory, { prune: false })).rejects.toThrow(
    /rule file load takes Sample on each node, and rule file log has it in the decision log/,
  );
});
