import { readdirSync, readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { type ConfiguredFile, rulesOf, z } from "@halon/rules";
import { describe, expect, test } from "vitest";

const library = new URL("../../packages/rules/library/", import.meta.url);
const page = readFileSync(new URL("../../docs/rules/library.md", import.meta.url), "utf8");
const names = readdirSync(library)
  .filter((file) => file.endsWith(".rules.ts"))
  .map((file) => file.replace(".rules.ts", ""))
  .sort();

/** The text below the heading that is the name of the file. */
function sectionOf(name: string): string {
  const [, section = ""] = page.split(`\n## ${name}\n`);
  return section.split("\n## ")[0] ?? "";
}

async function load(name: string): Promise<unknown> {
  const loaded = (await import(new URL(`${name}.rules.ts`, library).href)) as { default: unknown };
  return loaded.default;
}

/** By option: its default as JSON, or `none`. */
function optionsOf({ optionsSchema }: ConfiguredFile): Readonly<Record<string, string>> {
  const schema = z.record(z.string(), z.object({ default: z.unknown().optional() }));
  const { data = {} } = schema.safeParse(optionsSchema?.["properties"]);
  return Object.fromEntries(
    Object.entries(data).map(([name, about]) => [
      name,
      about.default === undefined ? "none" : JSON.stringify(about.default),
    ]),
  );
}

test("the table of the library names its files", () => {
  const listed = [...page.matchAll(/^\| \[`halon:([a-z-]+)`\]\(#([a-z-]+)\)/gm)];
  expect(listed.map(([, name]) => name).sort()).toEqual(names);
  expect(listed.map(([, , anchor]) => anchor).sort()).toEqual(names);
});

describe("the page of the library says of", () => {
  test.each(names)("%s what options it has, and what they are by default", async (name) => {
    const rows = [...sectionOf(name).matchAll(/^\| `(\w+)` \| `?(.+?)`? \|/gm)];
    const told = Object.fromEntries(rows.map(([, option, value]) => [option, value]));
    expect(told).toEqual(optionsOf(rulesOf(await load(name))));
  });

  test.each(names)("%s an example that it takes", async (name) => {
    const [, code = ""] = /= (\{\s*file: "halon:[\s\S]*?\});\n```/.exec(sectionOf(name)) ?? [];
    const example = runInNewContext(`(${code})`) as {
      readonly file: string;
      readonly options: object;
    };
    expect(example.file).toBe(`halon:${name}`);
    const options = JSON.parse(JSON.stringify(example.options)) as Parameters<typeof rulesOf>[1];
    expect(rulesOf(await load(name), options).options).toMatchObject(options ?? {});
  });
});

test("the table of topics names each file of the corpus, and no more scenarios than it has", () => {
  const readme = readFileSync(new URL("README.md", import.meta.url), "utf8");
  const rows = [...readme.matchAll(/^\| `([a-z-]+\.test\.ts)` \| (\d+) \|/gm)];
  const corpus = readdirSync(new URL(".", import.meta.url)).filter((file) =>
    /^(?!page\.|realm\.).*\.test\.ts$/.test(file),
  );
  expect(rows.map(([, file]) => file).sort()).toEqual(corpus.sort());
  for (const [, file = "", atLeast] of rows) {
    const text = readFileSync(new URL(file, import.meta.url), "utf8");
    // A row begins with its name: on the line of its bracket, or on the next.
    const count = text.match(/^ {2}\[(?:"|\n {4}")/gm)?.length ?? 0;
    expect(count, file).toBeGreaterThanOrEqual(Number(atLeast));
  }
});
