import { readFileSync } from "node:fs";
import { builtInKinds } from "@halon/protocol";
import { expect, test } from "vitest";
import { relationTable } from "./relations.ts";

const rfc = readFileSync(new URL("../../../rfc/0002-services.md", import.meta.url), "utf8");

/** The rows of the table under a heading, as trimmed cells without back quotes. */
function tableUnder(heading: string): readonly (readonly string[])[] {
  const [, section = ""] = rfc.split(`\n### ${heading}\n`);
  const lines = (section.split("\n### ")[0] ?? "").split("\n").filter((line) => /^\|/.test(line));
  return lines.slice(2).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
}

test("the table of relations in rfc/0002 and the one in code are equal", () => {
  const written = tableUnder("Relations").map(
    ([name, from, to, cardinality = ""]) =>
      `${name} ${from} ${to} ${cardinality.replaceAll(" ", "")}`,
  );
  const coded = relationTable.map(
    ({ name, from, to, cardinality }) => `${name} ${from} ${to} ${cardinality}`,
  );
  expect(written.length).toBeGreaterThan(10);
  expect(coded).toEqual(written);
});

test("the table of kinds in rfc/0002 names the built-in kinds and no others", () => {
  const written = tableUnder("Kinds").map(([kind]) => kind);
  expect([...Object.keys(builtInKinds), "user-defined"].sort()).toEqual(written.sort());
});
