import { basename } from "node:path";
import { expect, test } from "vitest";
import { files, read, section } from "./repository.ts";

const folder = "test/engine/";
const scenarios = 45;

const rows = section(read(`${folder}README.md`), "## Scenarios")
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

/** Where tests are whose names begin with the number. */
function filesOf(number: string): readonly string[] {
  return files(`${folder}*.test.ts`)
    .filter((path) => read(path).includes(`test("${number}: `))
    .map((path) => `\`${basename(path)}\``);
}

test("the table of scenarios has the numbers 1 to 45, in order", () => {
  expect(rows.map(([number]) => Number(number))).toEqual(
    Array.from({ length: scenarios }, (_, at) => at + 1),
  );
});

test.each(rows)("scenario %s is told in both engines' words, and is tested", (...cells) => {
  const [number = "", there, here, , tests = ""] = cells;
  expect([there, here]).not.toContain("");
  expect(tests.split(", ")).toEqual(filesOf(number));
});

test("each test is of a scenario in the table", () => {
  const numbers = new Set(rows.map(([number]) => number));
  const names = files(`${folder}*.test.ts`).flatMap((path) => [
    ...read(path).matchAll(/^test(?:\.each\(.*\))?\("([^"]*)"/gm),
  ]);
  expect(names.length).toBeGreaterThanOrEqual(scenarios);
  for (const [, name = ""] of names) expect(numbers).toContain(name.split(":")[0]);
});
