import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { planOf } from "./plan.ts";
import { run } from "./run.ts";
import { formatScenario } from "./scenario-file.ts";

const cli = fileURLToPath(new URL("../dist/cli.js", import.meta.url));

function sim(...args: readonly string[]): { readonly status: number | null; readonly out: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    encoding: "utf8",
  });
  return { status, out: stdout === "" ? stderr : stdout };
}

test("seeds run on threads, twice each, with the hashes that a single run has", {
  timeout: 60_000,
}, () => {
  const args = ["--seeds=1..4", "--seconds=3", "--members=3", "--twice", "--output=json"];
  const { status, out } = sim(...args, "--workers=2");
  expect(status).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ seeds: 4, violations: 0, different: [], missing: [] });
});

test("jobs of a rule file run as many as were asked for", { timeout: 60_000 }, () => {
  const args = ["--profile=jobs", "--jobs=20", "--seeds=1..2", "--seconds=8", "--output=json"];
  const { status, out } = sim(...args, "--workers=2");
  expect(status).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ violations: 0, totals: { jobsEnded: 40 } });
});

test("a saved scenario is run as it stands", { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "halon-sim-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const scenario = planOf(5, { members: 3, seconds: 3, machine: "registers" });
  const file = join(folder, "scenario.json");
  writeFileSync(file, formatScenario({ breaks: null, scenario }));
  const { status, out } = sim(`--scenario=${file}`);
  expect(status).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ seed: 5, hash: run(scenario).hash, violation: null });
});

test.each([
  ["--seeds=9..1", "A <= B"],
  ["--members=8", "from 1 to 7"],
  ["--jobs=5", "add --profile jobs"],
  ["--machine=etcd", "registers, agency or both"],
  ["--seed=x", "whole number"],
  ["--what", "--what"],
])("%s ends with code 2 and says why", (argument, message) => {
  const { status, out } = sim(argument);
  expect(status).toBe(2);
  expect(out).toContain(message);
});
