import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGraph, toJSON } from "@halon/graph";
import type { DataOf, events, Json } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import type { PublishedEvent } from "../core/processor-messages.ts";
import { Replica } from "../replica.ts";
import type { PartAnswers } from "../supervisor/parts.ts";
import { silent, until } from "../testing.ts";
import { NodeProcessor } from "./processor.ts";

const schema = { type: "object" };
const types = [
  { type: "Sample", version: 1, schema },
  { type: "Said", version: 1, schema },
];
const head = `const { aggregate, count, defineEvent, defineRules, onNode, tumbling, z } = require("@halon/rules");
const Sample = defineEvent({ type: "Sample", schema: z.object({ n: z.number() }) });
const Said = defineEvent({ type: "Said", schema: z.object({ text: z.string() }) });
`;

/** A compiled rule file with one rule. */
function script(rule: string): string {
  return `${head}module.exports.default = defineRules({ rule: ${rule} }, { runs: "node", events: [Said] });`;
}

const echo = script(
  "onNode(Sample).do(({ event, publish }) => publish(Said, { text: 'n ' + event.n }))",
);
const pairs = script(
  "onNode(count(Sample, { atLeast: 2, within: '1h' })).do(({ match, publish }) => publish(Said, { text: 'pair ' + match.count }))",
);

/** Whether the last processor has taken all that came. */
function isIdle(begun: readonly PartAnswers[]): boolean {
  return begun.at(-1)?.check().answer?.includes("; 0 events wait") === true;
}

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A processor over a graph and a directory of blobs, in a thread of its own. */
async function stage(entry?: URL) {
  const directory = await mkdtemp(join(tmpdir(), "halon-processor-"));
  const replica = new Replica(() => performance.now());
  const emitted: { readonly type: string; readonly data: Json }[] = [];
  const published: PublishedEvent[] = [];
  const begun: PartAnswers[] = [];
  const here = new Set<string>();
  const processor = new NodeProcessor({
    node: "n1",
    replica,
    blobs: {
      has: (hash) => here.has(hash),
      fetch: async (hash) => void here.add(hash),
      path: (hash) => join(directory, `${hash}.mjs`),
    },
    log: silent,
    waiting: () => 0,
    emit: (type, data) => emitted.push({ type, data: data as Json }),
    publish: (event) => published.push(event),
    began: (answers) => begun.push(answers),
    ...(entry === undefined ? {} : { entry }),
  });
  ends.push(async () => {
    await processor.close();
    await rm(directory, { recursive: true });
  });
  let revision = 0;
  const blobs = new Map<string, string>();
  return {
    processor,
    published,
    begun,
    emitted,
    texts: () => published.map(({ data }) => (data as { text: string }).text),
    of: <T>(type: string) =>
      emitted.flatMap((each) => (each.type === type ? [each.data as T] : [])),
    say: (...numbers: readonly number[]) =>
      processor.take(numbers.map((n) => ({ type: "Sample", data: { n } }))),
    /** Puts these files into the graph, in place of those before. */
    async apply(files: Readonly<Record<string, string>>, more: object = {}): Promise<void> {
      const graph = createGraph();
      const { update, commit } = graph.begin();
      for (const [name, text] of Object.entries(files)) {
        const blob = blobs.get(text) ?? (blobs.size + 1).toString(16).padStart(64, "0");
        blobs.set(text, blob);
        await writeFile(join(directory, `${blob}.mjs`), text);
        const about = { runs: "node", hears: ["Sample"], ...more } as const;
        update.put("RuleFile", name, { blob, rules: ["rule"], events: types, ...about } as never);
      }
      commit();
      revision += 1;
      replica.reset(toJSON(graph), revision, 1);
    },
    loaded: (...names: readonly string[]) =>
      until(`${names.join(", ")} to be loaded`, () => {
        const last = emitted.findLast(({ type }) => type === "ProcessorChanged")?.data;
        const files = (last as DataOf<typeof events.ProcessorChanged> | undefined)?.files ?? [];
        return (
          files
            .filter(({ state }) => state === "loaded")
            .map(({ file }) => file)
            .join() === names.join()
        );
      }),
  };
}

test("a file is made of its options, and anew of others", async () => {
  const { apply, say, texts, processor, emitted } = await stage();
  const text = `${head}module.exports.default = defineRules(({ word }) => ({
    rule: onNode(Sample).do(({ event, publish }) => publish(Said, { text: word + " " + event.n })),
  }), { runs: "node", events: [Said], options: z.strictObject({ word: z.string() }) });`;
  await apply({ file: text }, { options: { word: "a" }, edition: 1 });
  await until("the type to be known", () => processor.takes("Sample"));
  say(1);
  await until("the first options", () => texts().length === 1);
  await apply({ file: text }, { options: { word: "b" }, edition: 2 });
  await until("the other options", () => emitted.length === 2);
  say(2);
  await until("two events", () => texts().length === 2);
  expect(texts()).toEqual(["a 1", "b 2"]);
});

test("runs the rules of a file in a thread, replaces it at run time, and unloads it", async () => {
  const { processor, apply, say, texts, emitted, published, begun } = await stage();
  expect(processor.takes("Sample")).toBe(false);
  await apply({ file: echo });
  await until("the type to be known", () => processor.takes("Sample"));
  say(1, 2);
  await until("two events", () => texts().length === 2);
  expect(texts()).toEqual(["n 1", "n 2"]);
  expect(published[0]).toEqual({
    rule: "file/rule",
    type: "Said",
    version: 1,
    data: { text: "n 1" },
  });
  expect(begun[0]?.check()).toMatchObject({
    state: "running",
    health: "ok",
    detail: "1 rule files",
  });
  await apply({ file: pairs });
  await until("the other version", () => emitted.length === 2);
  say(3, 4);
  await until("a pair", () => texts().length === 3);
  expect(texts()[2]).toBe("pair 2");
  await apply({});
  await until("no type to be known", () => !processor.takes("Sample"));
  expect(() => say(5)).toThrow(/no rule file on n1 takes events of type Sample/);
});

test("a file that loops or throws is in quarantine alone, and is back when people take it back", async () => {
  const { apply, loaded, say, texts, of, begun } = await stage();
  const loops = script("onNode(Sample).do(({ event }) => { while (event.n < 0); })");
  const throws = script("onNode(Sample).do(() => { throw new Error('no'); })");
  const late = script("onNode(Sample).do(() => { (async () => { throw new Error('late'); })(); })");
  await apply({ late, loops, pairs, throws });
  await until("a processor", () => begun.length === 1);
  await loaded("late", "loops", "pairs", "throws");
  // A thread that had no CPU proves nothing about the file: then it is asked again.
  await until("the loop to be out", () => {
    const failed = of<DataOf<typeof events.ProcessorFileFailed>>("ProcessorFileFailed");
    if (failed.some(({ file }) => file === "loops")) return true;
    if (isIdle(begun)) say(-1);
    return false;
  });
  say(1, 2, 3, 4, 5);
  await loaded("late", "pairs");
  const failed = of<DataOf<typeof events.ProcessorFileFailed>>("ProcessorFileFailed");
  const reasons = Object.fromEntries(failed.map(({ file, reason }) => [file, reason]));
  expect(reasons).toEqual({
    loops: expect.stringMatching(/^its code ran for \d+ ms on one event/),
    throws: expect.stringContaining("threw on 5 events in a row"),
  });
  await until("pairs of what came afterwards", () => isIdle(begun) && texts().length >= 3);
  expect(begun[0]?.check()).toMatchObject({ health: "warn" });
  await apply({ late, loops, pairs, throws }, { released: 1 });
  await loaded("late", "loops", "pairs", "throws");
  expect(await begun[0]?.status()).toMatchObject({ rules: { length: 4 } });
});

test("a file that uses up the memory of the thread is left out of the next one", async () => {
  const { apply, loaded, say, of, begun } = await stage();
  const eats = `const all = [];${script(
    "onNode(Sample).do(({ event }) => { if (event.n < 0) all.push(new Array(1000000).fill(event.n)); })",
  )}`;
  await apply({ pairs, eats });
  await until("a processor", () => begun.length === 1);
  await loaded("eats", "pairs");
  say(1);
  await until("a window", () => isIdle(begun));
  say(...Array<number>(100).fill(-1));
  type Restarted = DataOf<typeof events.ProcessorRestarted>;
  const restarts = () =>
    of<Restarted>("ProcessorRestarted").filter(({ file }) => file === undefined);
  await until("the next processor", () => restarts().length === 1);
  const reason = expect.stringMatching(/^its code ended the processor \(.*memory/);
  expect(of("ProcessorFileFailed")).toMatchObject([{ file: "eats", reason }]);
  expect(restarts()).toMatchObject([{ lost: 1 }]);
  await until("all to be taken", () => isIdle(begun));
  expect(of("ProcessorFileFailed")).toHaveLength(1);
});

test.each([
  { how: "ends", n: "end", reason: "its thread ended: it ended" },
  { how: "hangs", n: "hang", reason: "its thread ended: hung for 2 s" },
])("a thread that $how is started again, and says what is lost", async ({ n, reason }) => {
  const { processor, apply, loaded, say, texts, of, begun } = await stage(
    new URL("../../testdata/processor-entry.mjs", import.meta.url),
  );
  await apply({ pairs });
  await until("a processor", () => begun.length === 1);
  await loaded("pairs");
  say(1);
  await until("a window", () => isIdle(begun));
  processor.take([{ type: "Sample", data: { n } }]);
  // It is given once more, as what ended the thread may have been something else.
  await until("the event to be given up", () => {
    const told = of<DataOf<typeof events.ProcessorRestarted>>("ProcessorRestarted");
    return told.some((each) => each.events === 1);
  });
  const told = of<DataOf<typeof events.ProcessorRestarted>>("ProcessorRestarted");
  expect(told).toMatchObject([
    { node: "n1", lost: 1, reason },
    { lost: 0, events: 1 },
  ]);
  expect(begun).toHaveLength(3);
  say(2, 3);
  await until("a pair of events that came afterwards", () => texts().length === 1);
  expect(of("ProcessorFileFailed")).toEqual([]);
});

test("an event that is not of its schema is refused, with its place", async () => {
  const { apply, processor } = await stage();
  await apply({ echo });
  await until("the type to be known", () => processor.takes("Sample"));
  const events = [
    { type: "Sample", data: { n: 1 } },
    { type: "Sample", data: "n" },
  ];
  expect(() => processor.take(events)).toThrow(/^event 1: Sample: .*expected object/);
});
