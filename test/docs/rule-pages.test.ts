import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkRuleFile } from "@halon/service/host";
import { afterAll, describe, expect, test } from "vitest";
import { type Block, blocksOf } from "./blocks.ts";
import { read } from "./repository.ts";

const directory = mkdtempSync(join(tmpdir(), "halon-pages-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const pages = ["docs/rules/options.md", "docs/rules/invariants.md", "rfc/0010-rules.md"];
const files = pages.flatMap((page) =>
  blocksOf(read(page))
    .filter(({ file }) => /\.(rules|invariant)\.ts$/.test(file ?? ""))
    .map((block) => ({ page, block, file: block.file ?? "" })),
);

describe("rule files of the pages compile and fit their types:", () => {
  test.each(files)("$page: $file", async ({ block, file }) => {
    expect(await check(block, file)).toEqual([]);
  });
});

async function check({ text }: Block, file: string): Promise<unknown> {
  const path = join(directory, file);
  writeFileSync(path, text);
  return (await checkRuleFile(path)).problems;
}

const rows = read("docs/rules/errors.md")
  .split("\n")
  .flatMap((line) => {
    const found = /^\| (.+?) \| .+ \| `(.+?)`: "(.+)" \|$/.exec(line);
    return found === null ? [] : [{ input: found[1], file: found[2] ?? "", name: found[3] ?? "" }];
  });

describe("each bad input of the page on errors is held by the test that it names:", () => {
  test.each(rows)("$input", ({ file, name }) => {
    expect(read(file).replace(/\\"/g, '"')).toContain(name);
  });

  test("no row without a test", () => {
    const all = read("docs/rules/errors.md")
      .split("\n")
      .filter((line) => line.startsWith("| ")).length;
    expect(rows).toHaveLength(all - 2);
  });
});
