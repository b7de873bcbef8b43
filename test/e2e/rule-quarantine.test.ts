import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { EventEntry } from "@halon/protocol";
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

const bad = ["loops", "throws", "grows"] as const;
const bodies = {
  loops: "for (;;);",
  // What becomes of a promise that nobody waits for must not end the coordinator.
  throws: "(async () => { throw new Error('late'); })(); throw new Error('of ' + event.n);",
  grows: "memory.set('k' + event.n, 'x'.repeat(1_000_000));",
};

function typeOf(name: string): string {
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}Told`;
}

function ruleFile(name: string, body: string): string {
  return `import { defineEvent, defineRules, on, z } from "@halon/rules";
const Told = defineEvent({ type: "${typeOf(name)}", schema: z.object({ n: z.number() }) });
export default defineRules({
  act: on(Told).do(({ event, memory, why }) => {
    why(\`n is \${event.n}\`);
    ${body}
  }),
});
`;
}

const cluster = `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [], rules: [${[...bad, "good"].map((name) => `"./${name}.rules.ts"`).join(", ")}] });
`;

test("rule files that loop, throw and grow are each in quarantine alone within 2 s, the rest goes on, and a fix is let in again", async () => {
  const directory = temporaryDirectory();
  const file = project(join(directory, "project"), {
    "cluster.ts": cluster,
    ...Object.fromEntries(bad.map((name) => [`${name}.rules.ts`, ruleFile(name, bodies[name])])),
    "good.rules.ts": ruleFile("good", ""),
  });
  const { endpoint } = await startNode(join(directory, "data"));
  await ctl(endpoint, "apply", "-f", file);
  const toldAt = new Map<string, number>();
  const tell = async (name: string, n: number): Promise<void> => {
    toldAt.set(name, Date.now());
    const body = JSON.stringify({ id: `${name}-${n}`, type: typeOf(name), data: { n } });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${endpoint}/v1/events`, { method: "POST", headers, body });
    expect([name, n, answer.status]).toEqual([name, n, 200]);
  };

  await tell("loops", 1);
  await tell("good", 1);
  for (let n = 1; n <= 5; n += 1) await tell("throws", n);
  for (let n = 1; n <= 17; n += 1) await tell("grows", n);
  const failed = await waitFor("three files in quarantine", async () => {
    const found = await events(endpoint, "RuleFileFailed");
    return found.length === 3 ? found : undefined;
  });
  for (const name of bad) {
    const failure = failed.find((entry) => field(entry, "file") === name);
    const since = Date.parse(failure?.time ?? "") - (toldAt.get(name) ?? Number.NaN);
    expect(since, name).toBeLessThan(2_000);
    expect((await halonctl(endpoint, "rule", "show", name)).stdout).toContain("is quarantined");
    await tell(name, 100);
  }
  const kept = (await events(endpoint)).filter((entry) => entry.kept !== undefined);
  expect(new Set(kept.map((entry) => entry.kept))).toEqual(new Set(bad));
  // The coordinator is the one that began: its epoch has not changed.
  expect(JSON.parse(await ctl(endpoint, "status", "-o", "json")).cluster.epoch).toBe(1);
  await tell("good", 2);

  for (const name of bad)
    writeFileSync(
      join(dirname(file), `${name}.rules.ts`),
      ruleFile(name, 'memory.set("k1", null);'),
    );
  await ctl(endpoint, "apply", "-f", file);
  for (const name of bad) await ctl(endpoint, "rule", "enable", name);
  await waitFor("the kept events to be decided", async () => {
    const now = await events(endpoint);
    return bad.every((name) => saidOf(now, name).includes("n is 100")) || undefined;
  });
  expect(saidOf(await events(endpoint), "good")).toEqual(["n is 1", "n is 2"]);
});

function saidOf(entries: readonly EventEntry[], name: string): readonly string[] {
  return entries.flatMap(({ rules }) =>
    rules.flatMap(({ rule, why }) => (rule === `${name}/act` ? [why] : [])),
  );
}
