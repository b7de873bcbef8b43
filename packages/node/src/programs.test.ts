import { EventEmitter, on } from "node:events";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AllowedProgram } from "./core/allowed-programs.ts";
import { Programs, type RunAction } from "./programs.ts";

const log = pino({ level: "silent" });
let dataDir = "";
const open: Programs[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "halon-runs-"));
});

afterEach(async () => {
  for (const programs of open.splice(0)) await programs.close();
  await rm(dataDir, { recursive: true });
});

interface Told {
  readonly type: string;
  readonly data: { readonly outcome?: string; readonly output: string; readonly command: string };
}

const shell = (script: string, more: Partial<AllowedProgram> = {}): AllowedProgram => ({
  command: ["sh", "-c", script, "sh"],
  timeoutMs: 10_000,
  args: { max: 8 },
  env: {},
  ...more,
});

/** Programs of this data directory, and what they tell, in order. */
function start(allowed: Readonly<Record<string, AllowedProgram>>) {
  const told = new EventEmitter();
  const stream = on(told, "told", { signal: AbortSignal.timeout(20_000) });
  const emit = (type: string, data: unknown) => void told.emit("told", { type, data });
  const all = new Map(Object.entries(allowed));
  const programs = new Programs({ node: "a", dataDir, allowed: all, log, emit });
  open.push(programs);
  return { programs, next: async () => ((await stream.next()).value as [Told])[0] };
}

const run = (name: string, args: readonly string[] = [], timeoutMs = 10_000): RunAction => ({
  ...{ type: "RunProgram", service: "halon-run", instance: "halon-run@a#1", ref: "7.1" },
  ...{ name, args: [...args], timeoutMs, asked: { rule: "mine/rule" } },
});

test.each([
  {
    what: "exit code 0 is done",
    script: "echo well",
    end: { outcome: "done", exit: 0, output: "well" },
  },
  {
    what: "another exit code failed",
    script: "echo no disk >&2; exit 3",
    end: { outcome: "failed", exit: 3, output: "no disk", reason: "exit code 3" },
  },
  {
    what: "a signal failed",
    script: "kill -9 $$",
    end: { outcome: "failed", output: "", reason: "it was ended by SIGKILL" },
  },
])("$what", async ({ script, end }) => {
  const { programs, next } = start({ it: shell(script) });
  programs.perform(run("it"), "7.1");
  expect(await next()).toEqual({
    type: "ProgramEnded",
    data: { node: "a", command: "7.1", ...end },
  });
});

test("what cannot be started failed", async () => {
  const { programs, next } = start({ it: shell("", { command: ["/nowhere/it"] }) });
  programs.perform(run("it"), "7.1");
  expect(await next()).toMatchObject({
    data: { outcome: "failed", reason: expect.stringMatching(/cannot be run.*ENOENT/) },
  });
});

test("each argument is one of its own, and no shell reads it", async () => {
  const { programs, next } = start({ it: shell('for each; do echo "[$each]"; done') });
  programs.perform(run("it", ["a b", "$HOME; false", ""]), "7.1");
  expect((await next()).data.output).toBe("[a b]\n[$HOME; false]\n[]");
});

test("it has the environment of the allow-list, and no secret of halond's", async () => {
  process.env["HALON_TEST_SECRET"] = "hunter2";
  const { programs, next } = start({ it: shell("env", { env: { KIND: "disk" } }) });
  programs.perform(run("it"), "7.1");
  const { output } = (await next()).data;
  delete process.env["HALON_TEST_SECRET"];
  expect(output).toContain("KIND=disk");
  expect(output).not.toContain("hunter2");
});

test("at its deadline it is asked to end, and timed out", async () => {
  const { programs, next } = start({
    it: shell("trap 'echo asked; exit 0' TERM; sleep 600 & wait"),
  });
  programs.perform(run("it", [], 2_000), "7.1");
  expect(await next()).toMatchObject({
    data: { outcome: "timedOut", output: "asked", reason: expect.stringContaining("2000 ms") },
  });
});

test("one that does not end when it is asked is killed with all that it started", async () => {
  const { programs, next } = start({ it: shell("trap '' TERM; sleep 600 & echo $!; wait") });
  programs.perform(run("it", [], 2_000), "7.1");
  const { data } = await next();
  expect(data).toMatchObject({ outcome: "timedOut" });
  await expect.poll(() => stateOf(Number(data.output))).toMatch(/^(gone|Z)$/);
});

test("of its output the end is told", async () => {
  const { programs, next } = start({
    it: shell("head -c 5000000 /dev/zero | tr '\\0' x; echo end"),
  });
  programs.perform(run("it"), "7.1");
  const { output } = (await next()).data;
  expect(output.length).toBeLessThanOrEqual(4_096);
  expect(output).toMatch(/xend$/);
});

test("a program that the file does not name is refused before anything is written", async () => {
  const { programs } = start({ it: shell("true") });
  expect(() => programs.perform(run("sh"), "7.1")).toThrow(
    expect.objectContaining({ code: "HAL_FORBIDDEN", message: expect.stringContaining("it") }),
  );
});

test("a command runs once: the next process tells the same end", async () => {
  const mark = join(dataDir, "mark");
  const allowed = { it: shell('echo ran >> "$1"') };
  const first = start(allowed);
  first.programs.perform(run("it", [mark]), "7.1");
  first.programs.perform(run("it", [mark]), "7.1");
  await first.next();
  await first.programs.close();
  const second = start(allowed);
  second.programs.perform(run("it", [mark]), "7.1");
  expect(await second.next()).toMatchObject({ data: { outcome: "done" } });
  expect(await readFile(mark, "utf8")).toBe("ran\n");
});

test("one that an earlier process began and did not end is unknown, and not begun again", async () => {
  await appendFile(join(dataDir, "runs.jsonl"), '{"instance":"7.1"}\n{"instance":"7.');
  const { programs, next } = start({ it: shell("true") });
  programs.perform(run("it"), "7.1");
  expect(await next()).toMatchObject({ data: { command: "7.1", outcome: "unknown" } });
  programs.perform(run("it"), "7.2");
  expect(await next()).toMatchObject({ data: { command: "7.2", outcome: "done" } });
});

test("what cannot be written down is not begun", async () => {
  const { programs, next } = start({ it: shell("true") });
  await rm(dataDir, { recursive: true });
  programs.perform(run("it"), "7.1");
  expect(await next()).toMatchObject({ type: "CommandRefused", data: { command: "7.1" } });
  dataDir = await mkdtemp(join(tmpdir(), "halon-runs-"));
});

test("no more than 16 run at the same time: the next is refused", async () => {
  const { programs } = start({ it: shell("sleep 600") });
  for (let number = 1; number <= 16; number += 1) programs.perform(run("it"), `7.${number}`);
  expect(() => programs.perform(run("it"), "7.17")).toThrow(
    expect.objectContaining({ code: "HAL_TOO_MANY" }),
  );
});

/** `gone`, or the letter by which the kernel tells the state of the process. */
async function stateOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).charAt(0);
  } catch {
    return "gone";
  }
}
