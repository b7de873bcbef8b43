import { listen } from "@halon/api";
import { memoryPorts } from "@halon/api/testing";
import { afterEach, expect, test } from "vitest";
import { memoryIo } from "../../testdata/memory-io.ts";
import { runHalonctl } from "./main.ts";

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function run(...command: readonly string[]) {
  return runOn({}, ...command);
}

async function runOn(overrides: Parameters<typeof memoryPorts>[0], ...command: readonly string[]) {
  const { ports, submitted } = memoryPorts(overrides);
  const listener = await listen({ host: "127.0.0.1", port: 0, ports, allowedHosts: [] });
  ends.push(() => listener.close(0));
  const { io, written } = memoryIo({ HALON_ENDPOINT: `127.0.0.1:${listener.port}` });
  const exit = await runHalonctl(command, io);
  return { exit, ...written, submitted };
}

test("rule show tells whether the file takes part, why not, and what to do", async () => {
  const { exit, out } = await run("rule", "show", "mine");
  expect(exit).toBe(0);
  for (const part of [
    "mine is quarantined",
    "threw on 5 events in a row",
    "one, two",
    "Alarm",
    "halonctl rule enable",
  ])
    expect(out).toContain(part);
  expect(JSON.parse((await run("rule", "show", "rule/mine", "-o", "json")).out)).toMatchObject({
    file: "mine",
    state: "quarantined",
  });
});

test.each([
  ["enable", "RuleEnableRequested"],
  ["disable", "RuleDisableRequested"],
])("rule %s asks for it, with the reason", async (action, type) => {
  const { exit, submitted } = await run("rule", action, "mine", "--reason", "noisy");
  expect(exit).toBe(0);
  expect(submitted[0]).toMatchObject({ type, data: { file: "mine", reason: "noisy" } });
});

test("an unknown file ends with 3, one rule of a file with 2", async () => {
  expect((await run("rule", "enable", "ghost")).exit).toBe(3);
  const one = await run("rule", "disable", "mine/one");
  expect([one.exit, one.submitted]).toEqual([2, []]);
  expect(one.err).toContain("Its file is mine");
});

test("rule show tells the options with type and default, and the invariants", async () => {
  const { out } = await run("rule", "show", "mine");
  expect(out).toContain("option errors: 5 (integer, default 3)");
  expect(out).toContain("invariant few: holds");
});

test("rule options asks for them: values are JSON, or text", async () => {
  const { exit, submitted } = await run(
    "rule",
    "options",
    "mine",
    "errors=4",
    "mode=hard",
    "x=null",
  );
  expect(exit).toBe(0);
  expect(submitted[0]).toMatchObject({
    type: "RuleOptionsRequested",
    data: { file: "mine", options: { errors: 4, mode: "hard", x: null } },
  });
});

test.each([["errors"], ["=4"]])("rule options refuses %j, and asks for nothing", async (option) => {
  const { exit, err, submitted } = await run("rule", "options", "mine", option);
  expect([exit, submitted]).toEqual([2, []]);
  expect(err).toContain("Expected an option as name=value");
});

test("rule list tells on how many nodes a rule runs, when some do", async () => {
  const one = { file: "load", blob: "0".repeat(64), state: "enabled" } as const;
  const rules = () => [
    { ...one, rule: "load/high", runs: "node" as const, loadedOn: 2, nodes: 3 },
    { ...one, rule: "log/told" },
  ];
  const { out } = await runOn({ rules }, "rule", "list");
  expect(out).toMatch(/RULE +FILE +STATE +RUNS/);
  expect(out).toMatch(/load\/high +load +enabled +node \(2 of 3\)/);
  expect((await run("rule", "list")).out).not.toContain("RUNS");
});
