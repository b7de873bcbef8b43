import { readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  events,
  halonctl,
  project,
  startNode,
  status,
  temporaryDirectory,
} from "./cluster.ts";
import { workerService } from "./services.ts";

afterEach(cleanUp);

function ruleFile(body: string): string {
  return `import { count, events, defineEvent, defineRules, on, z } from "@halon/rules";
const Told = defineEvent({ type: "Told", schema: z.object({ n: z.number() }) });
export default defineRules({
  started: on(events.ServiceStarted).do(({ event, why }) => {
    why(\`\${event.instance} is there\`);
    ${body}
  }),
  often: on(count(Told, { atLeast: 3, within: "10m", by: (e) => String(e.n) })).do(() => {}),
});
`;
}

function clusterOf(services: readonly string[], rules: readonly string[]): string {
  const types = services.map((name) => `{ type: "./${name}.service.ts" }`).join(", ");
  const files = rules.map((name) => `"./${name}.rules.ts"`).join(", ");
  return `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [${types}], rules: [${files}] });
`;
}

async function begun() {
  const directory = temporaryDirectory();
  const file = project(join(directory, "project"), {
    "cluster.ts": clusterOf(["one"], []),
    "one.service.ts": workerService("one"),
    "two.service.ts": workerService("two"),
    "watch.rules.ts": ruleFile(""),
  });
  const dataDir = join(directory, "data");
  const { endpoint } = await startNode(dataDir, ["--name", "node-1"]);
  await ctl(endpoint, "apply", "-f", file);
  /** What a plan must not change. */
  const trace = async () => ({
    last: (await events(endpoint)).at(-1)?.index,
    revision: (await status(endpoint)).cluster.revision,
    blobs: readdirSync(join(dataDir, "blobs")).sort(),
  });
  return { endpoint, file, trace };
}

test("a plan says what would change, which rules would act and what would be sent, and leaves nothing behind", async () => {
  const { endpoint, file, trace } = await begun();
  const before = await trace();
  const same = await halonctl(endpoint, "plan", "-f", file);
  expect([same.code, same.stdout]).toEqual([0, ""]);
  writeFileSync(file, clusterOf(["one", "two"], ["watch"]));
  const plan = await halonctl(endpoint, "plan", "-f", file);
  expect(plan.code, plan.stderr).toBe(8);
  for (const part of [
    /add +rule file +watch/,
    /add +rule +watch\/often +count, at least 3 within 10m/,
    /builtin\/cluster-applied +1/,
    /watch\/started +1 +two@node-1#1 is there/,
    /add +ServiceInstance +1 +two@node-1#1/,
    /StartService +node-1 +1 +two@node-1#1/,
  ])
    expect(plan.stdout).toMatch(part);
  expect(Math.max(...plan.stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  const diff = await halonctl(endpoint, "diff", "-f", file);
  expect([diff.code, diff.stdout]).toEqual([8, expect.stringContaining("+ rule file watch")]);
  expect(await trace()).toEqual(before);
});

test("a rule file that loops while it is planned ends the plan with its name, and is in no quarantine", async () => {
  const { endpoint, file, trace } = await begun();
  const before = await trace();
  writeFileSync(file, clusterOf(["one", "two"], ["watch"]));
  writeFileSync(join(dirname(file), "watch.rules.ts"), ruleFile("for (;;);"));
  const plan = await halonctl(endpoint, "plan", "-f", file);
  expect([plan.code, plan.stdout]).toEqual([1, ""]);
  expect(plan.stderr).toMatch(/rule file watch ran .* without an end/);
  expect(await trace()).toEqual(before);
  expect((await status(endpoint)).cluster.epoch).toBe(1);
});

test("a cluster file that apply would refuse is refused with the reason", async () => {
  const { endpoint, file } = await begun();
  writeFileSync(
    file,
    `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [{ type: "./one.service.ts", after: ["ghost"] }] });
`,
  );
  const plan = await halonctl(endpoint, "plan", "-f", file);
  expect([plan.code, plan.stderr]).toEqual([2, expect.stringContaining("ghost")]);
});
