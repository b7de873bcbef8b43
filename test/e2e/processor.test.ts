import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  events,
  field,
  halonctl,
  project,
  service,
  startCluster,
  status,
  temporaryDirectory,
  waitFor,
} from "./cluster.ts";

afterEach(cleanUp);

const types = `import { aggregate, count, defineEvent, defineRules, on, onNode, tumbling, z } from "@halon/rules";
export const Sample = defineEvent({ type: "Sample", schema: z.strictObject({ n: z.number() }) });
export const Tens = defineEvent({ type: "Tens", schema: z.strictObject({ key: z.string() }) });
export const Bite = defineEvent({ type: "Bite", schema: z.strictObject({ n: z.number() }) });
`;

/** Runs on nodes: of so many samples it makes one event of the log. */
function load(atLeast: number): string {
  return `import { count, defineRules, onNode, z } from "@halon/rules";
import { Sample, Tens } from "./types.ts";
export default defineRules((options) => ({
  tens: onNode(count(Sample, { atLeast: options.most, within: "1h" })).do(({ match, publish, why }) => {
    why("of " + options.most);
    publish(Tens, { key: String(match.count) });
  }),
}), { runs: "node", events: [Tens], options: z.strictObject({ most: z.number().int().min(2).default(${atLeast}) }) });
`;
}

/** Keeps what it should not: at last the thread has no memory any more. */
const eats = `import { defineRules, onNode } from "@halon/rules";
import { Bite } from "./types.ts";
const all = [];
export default defineRules({
  eats: onNode(Bite).do(({ event }) => void all.push(new Array(1_000_000).fill(event.n))),
}, { runs: "node" });
`;

/** Runs in the coordinator, on what nodes publish. */
const told = `import { defineRules, on } from "@halon/rules";
import { Tens } from "./types.ts";
export default defineRules({ told: on(Tens).do(({ event, why }) => why(event.key)) });
`;

const nodes = ["node-1", "node-2", "node-3"];

async function begin() {
  const directory = temporaryDirectory();
  const file = project(join(directory, "project"), {
    "cluster.ts": `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [], rules: ["./load.rules.ts", "./told.rules.ts", "./eats.rules.ts"] });
`,
    "types.ts": types,
    "load.rules.ts": load(10),
    "told.rules.ts": told,
    "eats.rules.ts": eats,
  });
  const { endpoint } = await startCluster(join(directory, "data"));
  await ctl(endpoint, "apply", "-f", file);
  const { nodes: rows } = await status(endpoint);
  const endpoints = new Map(rows.map(({ name, address }) => [name, `http://${address}`]));
  const write = (name: string, text: string): void =>
    writeFileSync(join(dirname(file), name), text);
  return { endpoint, endpoints, file, write };
}

/** Waits until every node has this much of the file in force. */
async function loaded(endpoint: string, file: string, shown = "node (3 of 3)"): Promise<void> {
  await waitFor(`${file} to be ${shown}`, async () => {
    const list = await ctl(endpoint, "rule", "list");
    return list.split("\n").some((line) => line.startsWith(`${file}/`) && line.includes(shown));
  });
}

async function emit(endpoint: string, body: unknown): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`${endpoint}/v1/events`, { method: "POST", headers, body: JSON.stringify(body) });
}

const samples = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ type: "Sample", data: { n } }));

/** Sources and keys of what came into the log. */
async function tens(endpoint: string): Promise<readonly string[]> {
  return (await events(endpoint, "Tens")).map((e) => `${e.source} ${field(e, "key")}`).sort();
}

test("events are counted where they come in, and what is published comes into the log once", async () => {
  const { endpoint, endpoints, file, write } = await begin();
  await loaded(endpoint, "load");
  for (const node of nodes) {
    const at = endpoints.get(node) ?? "";
    const answer = await emit(at, samples(25));
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { processed: 25, processedBy: node },
    ]);
    const one = await halonctl(at, "event", "emit", "Sample", '{"n":1}', "-o", "json");
    expect(JSON.parse(one.stdout)).toMatchObject({ processedBy: node });
  }
  const twice = nodes.flatMap((node) => Array(2).fill(`node/${node}/load/tens 10`));
  await waitFor("two events of each node", async () => (await tens(endpoint)).length >= 6);
  expect(await tens(endpoint)).toEqual(twice);
  expect(await events(endpoint, "Sample")).toEqual([]);
  const rules = (await events(endpoint, "Tens")).flatMap((entry) => entry.rules);
  expect(new Set(rules.map(({ rule, why }) => `${rule}: ${why}`))).toEqual(
    new Set(["told/told: 10"]),
  );

  const bad = await emit(endpoints.get("node-2") ?? "", { type: "Sample", data: { n: "1" } });
  expect([bad.status, ((await bad.json()) as { errorCode: string }).errorCode]).toEqual([
    400,
    "HAL_SCHEMA_VIOLATION",
  ]);
  const mixed = await emit(endpoint, [...samples(1), { type: "Tens", data: { key: "1" } }]);
  expect(mixed.status).toBe(400);

  // Replaced while it runs: the six samples of each node that wait end with their windows.
  write("load.rules.ts", load(3));
  await ctl(endpoint, "apply", "-f", file);
  await loaded(endpoint, "load");
  for (const node of nodes) await emit(endpoints.get(node) ?? "", samples(3));
  await waitFor("one more event of each node", async () => (await tens(endpoint)).length >= 9);
  const thrice = nodes.map((node) => `node/${node}/load/tens 3`);
  expect(await tens(endpoint)).toEqual([...twice, ...thrice].sort());

  // Other options are another version, on every node.
  await ctl(endpoint, "rule", "options", "load", "most=2");
  await loaded(endpoint, "load");
  for (const node of nodes) await emit(endpoints.get(node) ?? "", samples(2));
  await waitFor("one more event of each node", async () => (await tens(endpoint)).length >= 12);
  const pairs = nodes.map((node) => `node/${node}/load/tens 2`);
  expect(await tens(endpoint)).toEqual([...twice, ...thrice, ...pairs].sort());
  const few = await halonctl(endpoint, "rule", "options", "load", "most=1");
  expect(few.stderr).toContain("options.most: Too small");

  // What a processor takes cannot be in the log, too.
  write("told.rules.ts", told.replaceAll("Tens", "Sample").replace("event.key", '"x"'));
  const refused = await halonctl(endpoint, "apply", "-f", file);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain(
    "rule file load takes Sample on each node, and rule file told has it in the decision log",
  );
});

test("a processor that ends is started again and says what is lost; the file at fault is out on that node alone", async () => {
  const { endpoint, endpoints } = await begin();
  await loaded(endpoint, "load");
  await loaded(endpoint, "eats");
  const at = endpoints.get("node-2") ?? "";
  await emit(at, samples(5));
  const bites = Array.from({ length: 100 }, (_, n) => ({ type: "Bite", data: { n } }));
  expect((await emit(at, bites)).status).toBe(200);
  const restarted = await waitFor(
    "the processor to say that it began anew",
    async () => (await events(endpoint, "ProcessorRestarted"))[0],
  );
  expect(restarted.data).toMatchObject({ node: "node-2", lost: 1 });
  const failed = await events(endpoint, "ProcessorFileFailed");
  expect(failed.map((entry) => [field(entry, "node"), field(entry, "file")])).toEqual([
    ["node-2", "eats"],
  ]);
  const show = await ctl(endpoint, "rule", "show", "eats");
  expect(show).toContain("on node-2: quarantined: its code ended the processor");
  expect(show).toContain("on node-1: loaded");
  const part = await service(endpoint, "halon-processor", "node-2");
  expect(part).toMatchObject({ state: "running", health: "warn" });
  expect(await service(endpoint, "halon-processor", "node-1")).toMatchObject({ health: "ok" });
  const refused = await emit(at, { type: "Bite", data: { n: 1 } });
  expect(refused.status).toBe(409);

  // The node goes on: what the other file had counted is gone, what comes now counts.
  await emit(at, samples(10));
  await waitFor("an event of ten", async () => (await tens(endpoint)).length === 1);

  await ctl(endpoint, "rule", "enable", "eats");
  await loaded(endpoint, "eats");
  await waitFor("the file to take events again", async () => {
    return (await emit(at, { type: "Bite", data: { n: 1 } })).status === 200;
  });
});
