import { fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { watch } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandAction } from "@halon/protocol";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Effects } from "./effects.ts";

const deadlineMs = 20_000;
const program = new URL("../testdata/effect-process.mjs", import.meta.url);
const about = { ref: "r", asked: { rule: "mine/rule" }, timeoutMs: deadlineMs };
let dataDir = "";

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "halon-effects-"));
});

afterEach(() => rm(dataDir, { recursive: true }));

/** Begins the action in a process that is killed when the effect is seen. */
async function killedDuring(action: CommandAction, seen: Promise<unknown>): Promise<void> {
  const child = fork(program, [dataDir, JSON.stringify(action)], { execArgv: [] });
  const exit = once(child, "exit", { signal: AbortSignal.timeout(deadlineMs) });
  await seen;
  child.kill("SIGKILL");
  await exit;
}

/** What the next process of the node tells of it. */
async function toldAfter(action: CommandAction): Promise<unknown> {
  const told = new EventEmitter();
  const emit = (type: string, data: unknown) => void told.emit("told", { type, data });
  const log = pino({ level: "silent" });
  const around = { node: "a", clusterId: "c1", dataDir, allowed: new Map(), log, emit };
  const effects = new Effects(around);
  const answer = once(told, "told", { signal: AbortSignal.timeout(deadlineMs) });
  effects.perform(action, "7.1");
  const [event] = await answer;
  await effects.close();
  return event;
}

test("a program that a crash of the node has cut off is unknown, and is not run again", async () => {
  const mark = join(dataDir, "mark");
  const action: CommandAction = {
    ...{ type: "RunProgram", service: "halon-run", instance: "halon-run@a#1", ...about },
    ...{ name: "slow", args: [mark] },
  };
  await killedDuring(action, fileAppears(dataDir, "mark"));
  expect(await toldAfter(action)).toMatchObject({
    type: "ProgramEnded",
    data: { command: "7.1", outcome: "unknown" },
  });
  expect(await readFile(mark, "utf8")).toBe("ran\n");
});

test("a call that a crash of the node has cut off is made again, with the same key", async () => {
  const keys: unknown[] = [];
  const asked = new EventEmitter();
  const server = createServer((request, response) => {
    keys.push(request.headers["idempotency-key"]);
    asked.emit("asked");
    // The first gets no answer.
    if (keys.length > 1) response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const action: CommandAction = {
    ...{ type: "CallWebhook", service: "halon-call", instance: "halon-call@a#1", ...about },
    ...{ url, headers: {}, body: null, attempts: 5 },
  };
  await killedDuring(action, once(asked, "asked", { signal: AbortSignal.timeout(deadlineMs) }));
  expect(await toldAfter(action)).toMatchObject({
    type: "WebhookEnded",
    data: { command: "7.1", outcome: "done", attempts: 2 },
  });
  expect(keys).toEqual(["c1.7.1", "c1.7.1"]);
  server.closeAllConnections();
  server.close();
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
