import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { blocksOf } from "./blocks.ts";
import { files, read, root } from "./repository.ts";

const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

const pages = [...files("docs/*.md", "docs/**/*.md"), "README.md", "packages/rules/README.md"];

/** Each TypeScript block of a page as a file; one without imports goes on from the first of its page. */
function examplesOf(page: string): readonly (readonly [name: string, text: string])[] {
  const blocks = blocksOf(read(page)).filter(({ language }) => language === "ts");
  const first = blocks[0]?.text ?? "";
  const name = page.replaceAll("/", "-").replace(/\.md$/, "");
  return blocks.map(({ text, line }) => [
    `${name}.${line}.ts`,
    /^import /m.test(text) ? text : `${first}${text}`,
  ]);
}

test("every TypeScript example of the guides compiles", async () => {
  const directory = mkdtempSync(join(tmpdir(), "halon-docs-"));
  directories.push(directory);
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  mkdirSync(join(directory, "pages"));
  const examples = pages.flatMap(examplesOf);
  expect(examples.length).toBeGreaterThan(20);
  for (const [name, text] of examples) writeFileSync(join(directory, "pages", name), text);
  // What examples import from their own project is not here.
  const compilerOptions = {
    composite: false,
    declaration: false,
    declarationMap: false,
    noEmit: true,
    noUnusedLocals: false,
    types: ["node"],
  };
  const extended = join(root, "tsconfig.base.json");
  const config = { extends: extended, compilerOptions, include: ["pages/*.ts"] };
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(config));
  expect(await typeErrors(directory)).toEqual([]);
});

/** What the compiler says of the examples; each names the page and the line where its block begins. */
function typeErrors(directory: string): Promise<readonly string[]> {
  const tsc = join(root, "node_modules/@typescript/native/bin/tsc");
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [tsc, "-p", directory, "--pretty", "false"],
      { cwd: directory, timeout: 60_000 },
      (error, stdout) => {
        const lines = stdout.split("\n").filter((line) => line.startsWith("pages/"));
        // It failed, and not because of an example.
        if (error !== null && lines.length === 0) reject(new Error(stdout, { cause: error }));
        else resolve(lines);
      },
    );
  });
}
