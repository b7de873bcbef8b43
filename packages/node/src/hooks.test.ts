import { EventEmitter, on } from "node:events";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type HookAction, Hooks } from "./hooks.ts";

const log = pino({ level: "silent" });
let dataDir = "";
const open: Hooks[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "halon-hooks-"));
});

afterEach(async () => {
  for (const hooks of open.splice(0)) await hooks.close();
  await rm(dataDir, { recursive: true });
});

interface Told {
  readonly type: string;
  readonly data: { readonly outcome?: string; readonly detail?: string; readonly command: string };
}

/** Hooks of this data directory, and what they tell, in order. */
function start() {
  const told = new EventEmitter();
  const stream = on(told, "told", { signal: AbortSignal.timeout(20_000) });
  const emit = (type: string, data: unknown) => void told.emit("told", { type, data });
  const hooks = new Hooks({ node: "a", dataDir, log, emit });
  open.push(hooks);
  return {
    hooks,
    next: async () => ((await stream.next()).value as [Told])[0],
  };
}

function hook(number: number, command: readonly string[], timeoutMs = 10_000): HookAction {
  return {
    type: "RunHook",
    service: "halon-recover",
    instance: `halon-recover@b#${number}`,
    hook: "recover",
    target: "b",
    command: [...command],
    timeoutMs,
  };
}

test.each([
  {
    what: "a program that ends well is done",
    command: ["true"],
    outcome: "done",
    detail: /^exit code 0$/,
  },
  {
    what: "another exit code failed",
    command: ["sh", "-c", "echo no power >&2; exit 3"],
    outcome: "failed",
    detail: /^exit code 3: no power$/,
  },
  {
    what: "what cannot be run failed",
    command: ["/nowhere/power-on"],
    outcome: "failed",
    detail: /cannot be run.*ENOENT/,
  },
  {
    what: "what is no command at all failed",
    command: ["a\0b"],
    outcome: "failed",
    detail: /cannot be run/,
  },
  {
    what: "the target is an argument of its own, and no shell reads it",
    command: ["echo", "power $HOME {target};", "{target}"],
    outcome: "done",
    detail: /: power \$HOME b; b$/,
  },
])("$what", async ({ command, outcome, detail }) => {
  const { hooks, next } = start();
  hooks.perform(hook(1, command), "7.1");
  expect(await next()).toMatchObject({
    type: "HookEnded",
    data: {
      node: "a",
      target: "b",
      command: "7.1",
      outcome,
      detail: expect.stringMatching(detail),
    },
  });
});

test("at its deadline it is ended with all that it started", async () => {
  const { hooks, next } = start();
  const command = ["sh", "-c", "sleep 600 & echo $!; wait"];
  hooks.perform(hook(1, command, 300), "7.1");
  const { data } = await next();
  expect(data).toMatchObject({ outcome: "failed", detail: expect.stringContaining("300 ms") });
  const child = Number(data.detail?.split(": ").at(-1));
  await expect.poll(() => stateOf(child)).toMatch(/^(gone|Z)$/);
});

test("of what it writes the end is kept", async () => {
  const { hooks, next } = start();
  hooks.perform(hook(1, ["sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x; echo end"]), "7.1");
  const { data } = await next();
  expect(data.detail?.length).toBeLessThan(2_100);
  expect(data.detail).toMatch(/xend$/);
});

test("an attempt is run once: who asks again is told of the same end, also by the next process", async () => {
  const mark = join(dataDir, "mark");
  const action = hook(1, ["sh", "-c", `echo ran >> ${mark}`]);
  const first = start();
  first.hooks.perform(action, "7.1");
  first.hooks.perform(action, "7.2");
  const ends = [await first.next(), await first.next()];
  first.hooks.perform(action, "7.3");
  ends.push(await first.next());
  await first.hooks.close();
  const second = start();
  second.hooks.perform(action, "7.4");
  ends.push(await second.next());
  expect(ends.map(({ data }) => [data.command, data.outcome])).toEqual([
    ["7.1", "done"],
    ["7.2", "done"],
    ["7.3", "done"],
    ["7.4", "done"],
  ]);
  expect(await readFile(mark, "utf8")).toBe("ran\n");
});

test("another attempt is another run", async () => {
  const { hooks, next } = start();
  const mark = join(dataDir, "mark");
  for (const number of [1, 2]) {
    hooks.perform(hook(number, ["sh", "-c", `echo ran >> ${mark}`]), `7.${number}`);
    await next();
  }
  expect(await readFile(mark, "utf8")).toBe("ran\nran\n");
});

test("a line that a crash has cut off is of an attempt that was not begun", async () => {
  const path = join(dataDir, "hooks.jsonl");
  await appendFile(path, '{"instance":"halon-recover@b#1"}\n{"instance":"halon-rec');
  const { hooks, next } = start();
  hooks.perform(hook(2, ["true"]), "7.2");
  expect(await next()).toMatchObject({ data: { command: "7.2", outcome: "done" } });
  hooks.perform(hook(1, ["true"]), "7.1");
  expect(await next()).toMatchObject({ data: { command: "7.1", outcome: "unknown" } });
});

test("what cannot be written down is not begun", async () => {
  const { hooks, next } = start();
  await rm(dataDir, { recursive: true });
  hooks.perform(hook(1, ["true"]), "7.1");
  expect(await next()).toMatchObject({ type: "CommandRefused", data: { command: "7.1" } });
  dataDir = await mkdtemp(join(tmpdir(), "halon-hooks-"));
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
