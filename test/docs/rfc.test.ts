import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { files, read, root, scripts, section } from "./repository.ts";
import { stillToCome } from "./still-to-come.ts";

const rfcs = files("rfc/[0-9]*.md").filter((path) => !path.includes("0000-template"));

/** What stands in backticks and is a path of this repository. */
function pathsIn(lines: readonly string[]): readonly string[] {
  return [...lines.join("\n").matchAll(/`((?:test|tools|packages|bench|examples|rfc)\/[\w./-]+)`/g)]
    .map((match) => match[1] ?? "")
    .map((path) => path.replace(/\/$/, ""));
}

test.each(rfcs)("%s has evidence for its constraints, and it exists", (rfc) => {
  const evidence = section(read(rfc), "## Evidence");
  expect(evidence.length).toBeGreaterThan(0);
  const missing = pathsIn(evidence).filter(
    (path) => !existsSync(root + path) && !stillToCome.includes(path),
  );
  expect(missing).toEqual([]);
});

test.each(rfcs)("every numbered constraint of %s has a row of evidence", (rfc) => {
  const constraints = section(read(rfc), "## Constraints").flatMap((line) => {
    const number = /^(\d+)\. /.exec(line)?.[1];
    return number === undefined ? [] : [number];
  });
  const held = section(read(rfc), "## Evidence")
    .filter((line) => line.startsWith("|"))
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/\d+/g)].map((match) => match[0]));
  expect(constraints.filter((number) => !held.includes(number))).toEqual([]);
});

test("npm scripts that evidence names exist", () => {
  const named = rfcs.flatMap((rfc) =>
    [
      ...section(read(rfc), "## Evidence")
        .join("\n")
        .matchAll(/npm run ([\w:-]+)/g),
    ].map((match) => match[1] ?? ""),
  );
  expect(named.filter((name) => !(name in scripts()))).toEqual([]);
});

test("nothing that is announced as still to come exists already", () => {
  const present = stillToCome.filter((path) => existsSync(root + path));
  expect(present, "remove these from test/docs/still-to-come.ts").toEqual([]);
});
