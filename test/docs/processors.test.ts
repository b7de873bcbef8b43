import { build } from "esbuild";
import { expect, test } from "vitest";
import { blocksOf } from "./blocks.ts";
import { read, root } from "./repository.ts";

const blocks = blocksOf(read("docs/rules/processors.md"));

interface Processor {
  bring(files: readonly object[]): number;
  take(event: { readonly type: string; readonly data: unknown }, now: number): void;
  due(now: number, most: number): boolean;
  takePublished(): readonly { readonly type: string; readonly data: object }[];
}

interface Page {
  readonly default: object;
  readonly Processor: new (host: object) => Processor;
}

/** The rule file of the page, and the engine that it runs in. */
async function load(): Promise<Page> {
  const [example] = blocks.filter(({ language }) => language === "ts");
  const contents = `${example?.text}\nexport { Processor } from "@halon/rules/processor";\n`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
    bundle: true,
    format: "esm",
    conditions: ["@halon/source"],
    write: false,
  });
  const code = Buffer.from(outputFiles[0]?.contents ?? []).toString("base64");
  return import(/* @vite-ignore */ `data:text/javascript;base64,${code}`);
}

test("the example does what the page says", async () => {
  const { default: rules, Processor } = await load();
  const processor = new Processor({ running: () => undefined, locate: () => null });
  processor.bring([{ name: "file", version: "1", rules }]);
  const [play] = blocks.filter(({ language }) => language === "play");
  const lines = (play?.text ?? "").split("\n").slice(0, -1);
  expect(lines.length).toBeGreaterThan(5);
  const played: string[] = [];
  for (const line of lines.filter((each) => !each.startsWith("->"))) {
    played.push(line);
    const [, seconds, type, data] = /^(\d+) *(\w*) *(.*)$/.exec(line) ?? [];
    const now = Number(seconds) * 1_000;
    while (processor.due(now, 10));
    if (type !== undefined && type !== "")
      processor.take({ type, data: JSON.parse(data ?? "") }, now);
    for (const event of processor.takePublished())
      played.push(`-> ${event.type} ${inOrderOf(lines, event)}`);
  }
  expect(played).toEqual(lines);
});

/** The data as the page writes it: with its members in the order of the page. */
function inOrderOf(
  lines: readonly string[],
  { type, data }: { readonly type: string; readonly data: object },
): string {
  const same = lines
    .filter((line) => line.startsWith(`-> ${type} `))
    .map((line) => line.slice(type.length + 4));
  const isEqual = (text: string): boolean => {
    const entries = (value: object) => JSON.stringify(Object.entries(value).sort());
    return entries(JSON.parse(text) as object) === entries(data);
  };
  return same.find(isEqual) ?? JSON.stringify(data);
}
