import { basename } from "node:path";
import { expect, test } from "vitest";
import { files, read, section } from "./repository.ts";

const folder = "test/scenarios/";
const readme = read(`${folder}README.md`);
const topics = files(`${folder}*.test.ts`);

/** The cells of the tables of a section, without their headings. */
function rows(heading: string): readonly (readonly string[])[] {
  return section(readme, heading)
    .filter((line) => line.startsWith("| ") && !/^\| (?:---|file|what was seen)/.test(line))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

test("the table of topics names each file of scenarios, and no more scenarios than it has", () => {
  const table = rows("## Topics");
  expect(table.map(([file]) => file).sort()).toEqual(
    topics.map((path) => `\`${basename(path)}\``).sort(),
  );
  for (const [file = "", atLeast] of table) {
    const text = read(folder + file.replaceAll("`", ""));
    const count = text.match(/^\s*test(?:\.each)?\(/gm)?.length ?? 0;
    expect(count, file).toBeGreaterThanOrEqual(Number(atLeast));
  }
});

test.each(rows("## Found"))("what holds '%s' is there", (_, __, held = "") => {
  const named = [...held.matchAll(/`([^`]+)`(?:: ((?:"[^"]+"(?:, )?)+))?/g)];
  expect(named.length).toBeGreaterThan(0);
  for (const [, path = "", quoted = ""] of named) {
    const text = read(path.includes("/") ? path : folder + path);
    for (const [, name = ""] of quoted.matchAll(/"([^"]+)"/g)) expect(text).toContain(name);
  }
});
