import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import {
  isRunning,
  parseStat,
  readCommand,
  readEnvironment,
  readStat,
  residentKb,
  runningProcesses,
  uptimeMs,
} from "./proc.ts";

const rest =
  "S 1 42 41 0 -1 4194560 10 0 0 0 1 2 0 0 20 0 1 0 187411 10 20 18446744073709551615 1 1 0";

test.each(["sh", "a b", "a) R 1 2 3 (b", ")", "((", "x) S 9"])(
  "the name %j in a stat line does not move the fields after it",
  (name) => {
    expect(parseStat(`4711 (${name}) ${rest}`)).toEqual({
      pid: 4711,
      state: "S",
      parent: 1,
      group: 42,
      session: 41,
      startTime: 187_411,
    });
  },
);

test.each(["", "4711", "4711 (sh", "x (sh) S 1", "4711 (sh) S 1 2 3"])(
  "%j is no stat line",
  (line) => {
    expect(parseStat(line)).toBeUndefined();
  },
);

test("this process is read as it is", () => {
  const stat = readStat(process.pid);
  expect(stat).toMatchObject({ pid: process.pid, parent: process.ppid });
  expect(readCommand(process.pid).length).toBeGreaterThan(0);
  expect(readEnvironment(process.pid)?.get("PATH")).toBeDefined();
  expect(residentKb(process.pid)).toBeGreaterThan(1_000);
  const uptime = uptimeMs({ pid: process.pid, startTime: stat?.startTime ?? 0 });
  expect(Math.abs(uptime - process.uptime() * 1_000)).toBeLessThan(2_000);
});

test("a process that is gone is undefined everywhere", async () => {
  const child = spawn("true");
  await once(child, "exit");
  const pid = child.pid ?? 0;
  expect(readStat(pid)).toBeUndefined();
  expect(readEnvironment(pid)).toBeUndefined();
  expect(residentKb(pid)).toBeUndefined();
  expect(readCommand(pid)).toEqual([]);
  expect(isRunning({ pid, startTime: 0 })).toBe(false);
});

test("another start time is another process", () => {
  const startTime = readStat(process.pid)?.startTime ?? 0;
  expect(isRunning({ pid: process.pid, startTime })).toBe(true);
  expect(isRunning({ pid: process.pid, startTime: startTime - 1 })).toBe(false);
});

test("looking at all processes holds while they come and go under the reader", async () => {
  const churn = spawn("sh", [
    "-c",
    "i=0; while [ $i -lt 300 ]; do true & /bin/true; i=$((i+1)); done; wait",
  ]);
  let rounds = 0;
  const ended = once(churn, "exit");
  while (churn.exitCode === null && churn.signalCode === null) {
    const found = runningProcesses((stat) => {
      // What is asked of an entry may be gone since it was listed.
      readEnvironment(stat.pid);
      readCommand(stat.pid);
      residentKb(stat.pid);
      return true;
    });
    expect(found.map(({ pid }) => pid)).toContain(process.pid);
    rounds += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  expect(rounds).toBeGreaterThan(0);
});
