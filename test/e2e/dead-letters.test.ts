import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type DeadLetterEntry, DeadLetterList } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  events,
  halonctl,
  halondOf,
  kill,
  project,
  startNode,
  temporaryDirectory,
  waitFor,
} from "./cluster.ts";

afterEach(cleanUp);

/** Two rules on one event; the second throws on what `bad` says. */
function told(bad: string): string {
  return `import { defineEvent, defineRules, on, z } from "@halon/rules";
const Told = defineEvent({ type: "Told", schema: z.object({ n: z.number() }) });
const Passed = defineEvent({ type: "Passed", schema: z.object({ n: z.number() }) });
export default defineRules({
  acts: on(Told).do(({ event, why, publish }) => {
    why(\`acts on \${event.n}\`);
    if (event.n === 9) publish(Passed, event);
  }),
  throws: on(Told).do(({ event, why }) => {
    if (${bad}) throw new Error(\`cannot take \${event.n}\`);
    why(\`takes \${event.n}\`);
  }),
});
`;
}

const hears = `import { defineEvent, defineRules, on, z } from "@halon/rules";
const Passed = defineEvent({ type: "Passed", schema: z.object({ n: z.number() }) });
export default defineRules({ hears: on(Passed).do(({ event, why }) => why(\`hears \${event.n}\`)) });
`;

function clusterOf(...files: readonly string[]): string {
  const rules = files.map((name) => `"./${name}.rules.ts"`).join(", ");
  return `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [], rules: [${rules}] });
`;
}

test("an event on which a rule threw is decided again by that rule alone, once, after the coordinator died and the file was corrected", async () => {
  const directory = temporaryDirectory();
  const dataDir = join(directory, "data");
  const file = project(join(directory, "project"), {
    "cluster.ts": clusterOf("told"),
    "told.rules.ts": told("event.n < 3"),
  });
  const first = await startNode(dataDir, ["--name", "node-1"]);
  await ctl(first.endpoint, "apply", "-f", file);
  for (const n of [1, 2, 3]) await tell(first.endpoint, n);
  const table = await ctl(first.endpoint, "event", "dead");
  expect(table).toMatch(/told-1 +\d+s +Told +told\/throws: .*cannot take 1/);
  expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);

  kill(halondOf(dataDir), "SIGKILL");
  await first.ended;
  const { endpoint } = await startNode(dataDir, ["--name", "node-1"]);
  const letters = await lettersOf(endpoint);
  expect(letters.map(({ id, rule, attempts }) => [id, rule, attempts])).toEqual([
    ["told-1", "told/throws", 1],
    ["told-2", "told/throws", 1],
  ]);

  // Without the correction it is a dead letter again.
  await ctl(endpoint, "event", "dead", "retry", "told-1");
  await waitFor("the second attempt", async () =>
    (await lettersOf(endpoint)).some(({ id, attempts }) => id === "told-1" && attempts === 2),
  );
  writeFileSync(join(dirname(file), "told.rules.ts"), told("false"));
  await ctl(endpoint, "apply", "-f", file);
  const both = await Promise.all([
    halonctl(endpoint, "event", "dead", "retry", "told-1"),
    halonctl(endpoint, "event", "dead", "retry", "told-1"),
  ]);
  expect(both.map(({ code }) => code).sort()).toEqual([0, 3]);
  await ctl(endpoint, "event", "dead", "retry", "--type", "Told");
  await waitFor("no letter to be left", async () => (await lettersOf(endpoint)).length === 0);
  const said = (await events(endpoint, "Told")).flatMap(({ rules }) => rules.map(({ why }) => why));
  for (const n of [1, 2, 3]) {
    expect(said.filter((why) => why === `acts on ${n}`)).toHaveLength(1);
    expect(said.filter((why) => why === `takes ${n}`)).toHaveLength(1);
  }
});

test("an event that no file knew is decided by itself when one comes that does; others can be dropped", async () => {
  const directory = temporaryDirectory();
  const file = project(join(directory, "project"), {
    "cluster.ts": clusterOf("told"),
    "told.rules.ts": told("event.n === 9"),
    "hears.rules.ts": hears,
  });
  const { endpoint } = await startNode(join(directory, "data"));
  await ctl(endpoint, "apply", "-f", file);
  await tell(endpoint, 9);
  expect((await lettersOf(endpoint)).map(({ type, rule }) => [type, rule])).toEqual([
    ["Told", "told/throws"],
    ["Passed", undefined],
  ]);
  writeFileSync(file, clusterOf("told", "hears"));
  await ctl(endpoint, "apply", "-f", file);
  await waitFor("the event to be decided", async () =>
    (await events(endpoint, "Passed")).some(({ rules }) =>
      rules.some(({ why }) => why === "hears 9"),
    ),
  );
  expect((await lettersOf(endpoint)).map(({ id }) => id)).toEqual(["told-9"]);
  const ghost = await halonctl(endpoint, "event", "dead", "drop", "ghost");
  expect([ghost.code, ghost.stderr]).toEqual([3, expect.stringContaining("ghost")]);
  await ctl(endpoint, "event", "dead", "drop", "--all", "--reason", "known");
  expect(await lettersOf(endpoint)).toEqual([]);
  expect((await halonctl(endpoint, "event", "dead", "drop", "--all")).code).toBe(0);
});

test("a retry whose coordinator dies when it is committed is decided by the next one, once", async () => {
  const directory = temporaryDirectory();
  const dataDir = join(directory, "data");
  const failpoints = temporaryDirectory();
  const file = project(join(directory, "project"), {
    "cluster.ts": clusterOf("told"),
    "told.rules.ts": told("true"),
  });
  const env = { HALON_FAILPOINTS: failpoints };
  const first = await startNode(dataDir, ["--name", "node-1"], { env });
  await ctl(first.endpoint, "apply", "-f", file);
  await tell(first.endpoint, 1);
  writeFileSync(join(dirname(file), "told.rules.ts"), told("false"));
  await ctl(first.endpoint, "apply", "-f", file);
  writeFileSync(join(failpoints, "coordinator.after-commit"), "");
  const asked = await halonctl(
    first.endpoint,
    ...["event", "dead", "retry", "told-1", "--timeout", "3s"],
  );
  expect(asked.code).not.toBe(0);
  expect((await first.ended).code).toBeNull();

  const { endpoint } = await startNode(dataDir, ["--name", "node-1"]);
  // The point may have been passed by another record: then nobody has asked yet.
  if ((await events(endpoint, "DeadLetterRetryRequested")).length === 0)
    await ctl(endpoint, "event", "dead", "retry", "told-1");
  await waitFor("no letter to be left", async () => (await lettersOf(endpoint)).length === 0);
  const said = (await events(endpoint, "Told")).flatMap(({ rules }) => rules.map(({ why }) => why));
  expect(said.filter((why) => !why.startsWith("the rule threw"))).toEqual(["acts on 1", "takes 1"]);
});

async function tell(endpoint: string, n: number): Promise<void> {
  const answer = await fetch(`${endpoint}/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: `told-${n}`, type: "Told", data: { n } }),
  });
  expect(answer.status).toBe(200);
}

async function lettersOf(endpoint: string): Promise<readonly DeadLetterEntry[]> {
  const answer = await fetch(`${endpoint}/v1/dead-letters`);
  return DeadLetterList.parse(await answer.json()).letters;
}
