import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { files, firstColumn, read, readJson, root, scripts, section } from "./repository.ts";
import { stillToCome } from "./still-to-come.ts";

const readme = read("README.md");
const documents = [
  "README.md",
  "CONTRIBUTING.md",
  ...files("docs/*.md", "docs/**/*.md", "rfc/*.md", "packages/*/README.md"),
];

/** Names of root scripts in `npm run <name>`, `npm test` and `npm start`. */
function scriptsNamedIn(text: string): readonly string[] {
  const run = [...text.matchAll(/npm run (?:--silent )?([a-z][a-z0-9:-]*)/g)].map(
    (match) => match[1],
  );
  const short = [...text.matchAll(/npm (test|start)\b/g)].map((match) => match[1]);
  return [...run, ...short].filter((name) => name !== undefined);
}

test("the table of scripts in the README is that of package.json", () => {
  const named = firstColumn(section(readme, "## Scripts")).flatMap(scriptsNamedIn);
  expect([...named].sort()).toEqual(Object.keys(scripts()).sort());
});

test.each(documents)("every npm script that %s names exists", (document) => {
  const unknown = scriptsNamedIn(read(document)).filter((name) => !(name in scripts()));
  expect(unknown).toEqual([]);
});

test("the table of packages in the README is that of packages/", () => {
  const named = firstColumn(section(readme, "## Packages")).map(
    (cell) => cell.match(/`(.+?)`/)?.[1],
  );
  const present = files("packages/*/package.json").map((path) => path.split("/")[1]);
  expect([...named].sort()).toEqual([...present].sort());
});

test.each(documents)("every relative link of %s leads to a file", (document) => {
  const directory = document.slice(0, document.lastIndexOf("/") + 1);
  const broken = [...read(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
    .map((match) => match[1] ?? "")
    .filter((target) => !existsSync(`${root}${directory}${target}`));
  expect(broken).toEqual([]);
});

test("every file that a root script runs exists, or is announced as still to come", () => {
  const run = Object.values(scripts()).flatMap((script) =>
    [...script.matchAll(/node ((?!node_modules)[\w./-]+\.mjs)/g)].map((match) => match[1] ?? ""),
  );
  expect(run.length).toBeGreaterThan(5);
  expect(run.filter((path) => !existsSync(root + path) && !stillToCome.includes(path))).toEqual([]);
});

describe("what runs real processes is never served from a cache", () => {
  const tasks = readJson("turbo.json")["tasks"] as Record<string, { cache?: boolean }>;
  const uncached = Object.keys(scripts()).filter(
    (name) => name === "chaos" || /^test:(?!unit$)/.test(name),
  );

  // As a task of turbo it would be one of `turbo run test`, which it starts: it would call itself without end.
  test("`npm test` is no task of turbo", () => {
    expect(Object.keys(tasks)).not.toContain("//#test");
  });

  test.each(uncached)("%s", (name) => {
    expect(tasks[`//#${name}`]?.cache).toBe(false);
  });
});
