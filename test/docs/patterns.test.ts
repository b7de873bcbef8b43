import type { Contribution, PatternDescription } from "@halon/protocol";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { type Block, blocksOf } from "./blocks.ts";
import { read, root } from "./repository.ts";

const blocks = blocksOf(read("docs/rules/patterns.md"));
const pictures = blocks.filter(({ language }) => language === "timeline");

interface Match {
  readonly key: string;
  readonly since: number;
  readonly until: number;
  readonly count?: number;
  readonly values?: Readonly<Record<string, number>>;
}

/** A rule as a rule file makes it; only what is needed here. */
interface Rule {
  readonly event: { readonly type: string };
  readonly pattern?: {
    readonly description: PatternDescription;
    readonly parts: readonly {
      readonly event: { readonly type: string };
      readonly contribute: (event: Data) => Omit<Contribution, "part"> | null;
    }[];
  };
  readonly conditions: readonly ((context: object) => boolean)[];
}

interface Matching {
  bring(patterns: ReadonlyMap<string, PatternDescription>): number;
  take(rule: string, contribution: Contribution, at: number): readonly Match[];
  readonly firstDue: number;
  due(now: number): { readonly match: Match } | null;
}

interface Page {
  readonly rules: Readonly<Record<string, Rule>>;
  readonly Matching: new () => Matching;
}

interface Data {
  readonly node: string;
  readonly ms: number;
}

interface Picture {
  readonly events: readonly { readonly at: number; readonly type: string; readonly data: Data }[];
  /** Columns, as seconds. */
  readonly marks: readonly number[];
  readonly told: readonly string[];
  readonly endMs: number;
}

/** The examples of the page, each under its heading, and the engine that they run in. */
async function load(): Promise<Page> {
  const [first, ...others] = blocks.filter(({ language }) => language === "ts");
  const examples = others.filter(({ text }) => text.includes("const rule = "));
  const members = examples.map(
    ({ heading, text }) => `${JSON.stringify(heading)}: (() => {\n${text}\nreturn rule;\n})(),`,
  );
  const contents = `${first?.text}\nexport { Matching } from "@halon/rules";
export const rules = {\n${members.join("\n")}\n};\n`;
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

/** What stands in a picture: a column is a second, counted from below the 0 of its first line. */
function pictureOf({ text }: Block): Picture {
  const lines = text.split("\n").slice(0, -1);
  const left = (lines[0] ?? "").indexOf("0");
  const rows = lines.slice(1).filter((line) => /^\w+ +\S/.test(line) && !/^[\d.]+s: /.test(line));
  const columns = rows.flatMap((line) =>
    [...line.slice(left)].flatMap((mark, at) =>
      mark === " " ? [] : [{ type: line.split(" ")[0] ?? "", mark, at }],
    ),
  );
  const dataOf = (mark: string): Data =>
    /\d/.test(mark) ? { node: "a", ms: Number(mark) } : { node: mark, ms: 0 };
  return {
    events: columns
      .filter(({ type }) => type !== "match")
      .map(({ type, mark, at }) => ({ type, at: at * 1_000, data: dataOf(mark) }))
      .sort((a, b) => a.at - b.at),
    marks: columns.filter(({ type }) => type === "match").map(({ at }) => at),
    told: lines.filter((line) => /^[\d.]+s: /.test(line)),
    endMs: ((lines[0] ?? "").length - left) * 1_000,
  };
}

function play({ Matching }: Page, rule: Rule, { events, endMs }: Picture) {
  const { pattern } = rule;
  const matching = new Matching();
  if (pattern !== undefined) matching.bring(new Map([["file/rule", pattern.description]]));
  const acts: { readonly at: number; readonly match?: Match }[] = [];
  const note = (at: number, match?: Match, event: object = {}) => {
    if (rule.conditions.every((condition) => condition({ match, event })))
      acts.push({ at, ...(match === undefined ? {} : { match }) });
  };
  const passTo = (now: number) => {
    for (let at = matching.firstDue; at <= now; at = matching.firstDue) {
      const due = matching.due(at);
      if (due !== null) note(at, due.match);
    }
  };
  for (const { at, type, data } of events) {
    passTo(at);
    if (pattern === undefined && type === rule.event.type) note(at, undefined, data);
    // Later parts first, as the engine does: an event must not follow itself.
    for (const [part, { event, contribute }] of [...(pattern?.parts ?? []).entries()].reverse()) {
      const given = event.type === type ? contribute(data) : null;
      if (given === null) continue;
      for (const match of matching.take("file/rule", { ...given, part }, at)) note(at, match, data);
    }
  }
  passTo(endMs);
  return acts;
}

function shown(at: number, { key, since, until, count, values = {} }: Match): string {
  const numbers = Object.entries(values).map(([name, value]) => `, ${name} ${value}`);
  const counted = count === undefined ? "" : `, count ${count}`;
  return `${at / 1_000}s: ${key}, since ${since / 1_000}s until ${until / 1_000}s${counted}${numbers.join("")}`;
}

const page = load();

test("each pattern has a picture", async () => {
  const { rules } = await page;
  expect(pictures.map(({ heading }) => heading)).toEqual(Object.keys(rules));
  const listed = [...read("docs/rules/patterns.md").matchAll(/\]\(#([a-z-]+)\)/g)];
  expect(listed.map(([, name]) => name).sort()).toEqual(
    Object.keys(rules)
      .filter((name) => name !== "Bounds")
      .map((name) => name.toLowerCase().replace(" ", "-"))
      .sort(),
  );
});

test.each(pictures)("the picture of $heading is what its example does", async (block) => {
  const loaded = await page;
  const rule = loaded.rules[block.heading];
  if (rule === undefined) throw new Error(`${block.heading} has no example`);
  const picture = pictureOf(block);
  const acts = play(loaded, rule, picture);
  expect(acts.flatMap(({ at, match }) => (match === undefined ? [] : [shown(at, match)]))).toEqual(
    picture.told,
  );
  const seconds = new Set(acts.map(({ at }) => Math.floor(at / 1_000)));
  expect(picture.marks).toEqual([...seconds]);
});
