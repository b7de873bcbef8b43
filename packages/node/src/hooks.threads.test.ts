import { fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { watch } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { type HookAction, Hooks } from "./hooks.ts";

const deadlineMs = 20_000;
const program = new URL("../testdata/hook-process.mjs", import.meta.url);

test("an attempt that a crash of the node has cut off is unknown, and is not run again", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "halon-hooks-"));
  const mark = join(dataDir, "mark");
  const action: HookAction = {
    type: "RunHook",
    service: "halon-fence",
    instance: "halon-fence@b#1",
    hook: "fence",
    target: "b",
    // It is alone in the world when its node is killed, and ends by itself.
    command: ["sh", "-c", `echo ran >> ${mark}; exec sleep 2`],
    timeoutMs: deadlineMs,
  };
  const begun = fileAppears(dataDir, "mark");
  const child = fork(program, [dataDir, JSON.stringify(action)], { execArgv: [] });
  const exit = once(child, "exit", { signal: AbortSignal.timeout(deadlineMs) });
  await begun;
  child.kill("SIGKILL");
  await exit;

  const told = new EventEmitter();
  const emit = (type: string, data: unknown) => void told.emit("told", { type, data });
  const hooks = new Hooks({ node: "a", dataDir, log: pino({ level: "silent" }), emit });
  const answer = once(told, "told", { signal: AbortSignal.timeout(deadlineMs) });
  hooks.perform(action, "7.1");
  expect(await answer).toMatchObject([
    { type: "HookEnded", data: { command: "7.1", hook: "fence", target: "b", outcome: "unknown" } },
  ]);
  await expect.poll(() => readFile(mark, "utf8")).toBe("ran\n");
  await hooks.close();
  await rm(dataDir, { recursive: true });
});

function fileAppears(directory: string, name: string): Promise<void> {
  const watcher = watch(directory, { signal: AbortSignal.timeout(deadlineMs) });
  return new Promise((resolve, reject) => {
    watcher.on("change", (_, file) => {
      if (file !== name) return;
      watcher.close();
      resolve();
    });
    watcher.once("error", reject);
  });
}
