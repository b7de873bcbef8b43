import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { files, firstColumn, read, root, section } from "./repository.ts";

const folder = "test/mutants/";
const patches = files(`${folder}*.patch`);
const nameOf = (patch: string): string => patch.slice(folder.length, -".patch".length);

test("at least twenty bugs are planted", () => {
  expect(patches.length).toBeGreaterThanOrEqual(20);
});

test.each(patches)("%s says what the bug is and which rule it breaks", (patch) => {
  const [title = "", blank] = read(patch).split("\n");
  expect(title).toMatch(/^[A-Z].*\((?:Raft|RFC|thesis) .+\)\.$/);
  expect(blank).toBe("");
});

test.each(patches)(
  "%s applies to this tree, and to packages of the simulated code only",
  (patch) => {
    execFileSync("git", ["apply", "--check", patch], { cwd: root, stdio: "pipe" });
    const changed = [...read(patch).matchAll(/^\+\+\+ b\/(.*)$/gm)].map((match) => match[1] ?? "");
    expect(changed.length).toBeGreaterThan(0);
    const simulated =
      /^packages\/(?:raft|kv|graph|rules|sim)\/src\/|^packages\/(?:agency|coordinator|node|service)\/src\/core\//;
    expect(changed.filter((path) => !simulated.test(path))).toEqual([]);
  },
);

test("the tables of planted bugs name each patch, and nothing else", () => {
  const readme = read(`${folder}README.md`);
  const ofClusters = section(readme, "## Bugs of whole clusters");
  const next = ofClusters.findIndex((line) => line.startsWith("### "));
  const table = [
    ...firstColumn(section(readme, "## Bugs")),
    ...firstColumn(ofClusters.slice(0, next < 0 ? undefined : next)),
  ];
  expect([...table].sort()).toEqual(patches.map((patch) => `\`${nameOf(patch)}\``).sort());
});
