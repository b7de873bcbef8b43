import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunnerSpec } from "../runner.ts";
import { readStat } from "./proc.ts";
import { launchSpare, prepareSpare } from "./spare.ts";
import { startProcess } from "./start.ts";
import { type Home, hear, openHome } from "./testing.ts";

let home: Home;
beforeEach(() => {
  home = openHome();
});
afterEach(() => home.close());

const look = `
  const { readFileSync, readlinkSync } = require("node:fs");
  const { argv } = process;
  const env = Object.entries(process.env).sort();
  const stdin = readlinkSync("/proc/self/fd/0");
  console.log(JSON.stringify({ env, args: argv.slice(1), cwd: process.cwd(), stdin }));
  console.error("seen");
  process.exitCode = 7;
`;

function specOfLook(): RunnerSpec {
  return home.spec(
    {
      command: ["node", "-e", look.replaceAll("{", "{{"), "{config.word}", ""],
      env: { WORD: "{config.word}" },
    },
    { config: { word: "$HOME `x` * 'it''s' \"q\" \\ \n last" } },
  );
}

async function run(spec: RunnerSpec) {
  const heard = hear();
  const runner = startProcess(spec, heard.listener);
  const { pid = 0, group, session } = readStat(runner.osPid ?? 0) ?? {};
  const exited = await heard.next("exited");
  const lines = readFileSync(join(spec.directory, "output.log"), "utf8").trimEnd().split("\n");
  const isLeader = group === pid && session === pid;
  return { exited, types: heard.types(), lines: lines.slice(-2), isLeader, pid };
}

test("a program in the spare child finds everything as one that was spawned does", async () => {
  const spec = specOfLook();
  const { pid: spawned, ...first } = await run(spec);
  prepareSpare();
  const { pid: spare, ...second } = await run(spec);
  expect(second).toEqual(first);
  expect(second).toMatchObject({ isLeader: true, exited: { exit: { code: 7, signal: null } } });
  expect(spare).not.toBe(spawned);
});

test("the spare child goes to one start only", () => {
  const launch = {
    command: ["true"],
    env: { PATH: "/usr/bin:/bin" },
    cwd: "/",
    output: "/dev/null",
  } as const;
  prepareSpare();
  expect(launchSpare(launch)?.pid).toBeGreaterThan(1);
  expect(launchSpare(launch)).toBeUndefined();
});

test.each([
  { why: "is not there", command: ["no-such-program"], env: {} },
  { why: "must not be run", command: ["/etc/passwd"], env: {} },
  { why: "has a variable that a shell cannot set", command: ["true"], env: { "A-B": "1" } },
  { why: "has a variable that a shell keeps for itself", command: ["true"], env: { IFS: "," } },
] as const)("what $why is left to spawn", ({ command, env }) => {
  prepareSpare();
  const path = { PATH: "/usr/bin:/bin" };
  expect(
    launchSpare({ command, env: { ...path, ...env }, cwd: "/", output: "/dev/null" }),
  ).toBeUndefined();
});

test("a text with NUL is not given to a shell", () => {
  prepareSpare();
  const launch = {
    command: ["/bin/echo", "a\0b"],
    env: {},
    cwd: "/",
    output: "/dev/null",
  } as const;
  expect(launchSpare(launch)).toBeUndefined();
});
