import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunnerSpec } from "../runner.ts";
import { createRuntime } from "../runtime/create-runtime.ts";
import { createEventLog, startAction } from "../runtime/testing.ts";
import { listMarked } from "./mark.ts";
import { isRunning, readStat } from "./proc.ts";
import { startProcess } from "./start.ts";
import { type Home, hear, manifestOf, openHome, until } from "./testing.ts";

let home: Home;
beforeEach(() => {
  home = openHome();
});
afterEach(() => home.close());

const shell = (code: string): [string, ...string[]] => ["sh", "-c", code];
const up = { type: "output", pattern: "^up$" } as const;
/** It ends on SIGTERM, and says so. */
const obedient = shell("trap 'echo term; exit 3' TERM; echo up; while :; do sleep 0.05; done");
const deaf = shell("trap '' TERM; echo up; while :; do sleep 0.05; done");

async function start(spec: RunnerSpec) {
  const heard = hear();
  const runner = startProcess(spec, heard.listener);
  await heard.next("ready");
  const output = () => readFileSync(join(spec.directory, "output.log"), "utf8");
  return { heard, runner, output, pid: runner.osPid ?? 0 };
}

describe("the stop command", () => {
  test("stops the process without any signal, and writes to its output", async () => {
    const { heard, runner, output } = await start(
      home.spec(
        {
          command: shell(
            "trap 'echo usr; exit 5' USR1; trap '' TERM; echo up; while :; do sleep 0.05; done",
          ),
          ready: up,
          env: { WORD: "{config.word}" },
          stopCommand: shell('echo "stopping $WORD"; kill -USR1 $HALON_PID'),
        },
        { config: { word: "it" } },
      ),
    );
    runner.requestStop();
    expect((await heard.next("exited")).exit).toEqual({ code: 5, signal: null });
    expect(output()).toContain("stopping it\n");
    expect(output()).not.toContain("[halon]");
  });

  test("that fails is followed by the signal", async () => {
    const { heard, runner, output } = await start(
      home.spec({ command: obedient, ready: up, stopCommand: shell("exit 9") }),
    );
    runner.requestStop();
    expect((await heard.next("exited")).exit).toEqual({ code: 3, signal: null });
    expect(output()).toContain("[halon] the stop command failed: it ended with code 9");
  });

  test("that is not there is followed by the signal", async () => {
    const { heard, runner, output } = await start(
      home.spec({ command: obedient, ready: up, stopCommand: ["/no/such/program"] }),
    );
    runner.requestStop();
    expect((await heard.next("exited")).exit).toEqual({ code: 3, signal: null });
    expect(output()).toMatch(/the stop command failed: .*ENOENT/);
  });

  test("that hangs is killed with all that it started at half of the stop time, and followed by the signal", async () => {
    const { heard, runner, output } = await start(
      home.spec(
        { command: obedient, ready: up, stopCommand: shell("sleep 60 & echo hanging; wait") },
        { manifest: { stopTimeoutMs: 600 } },
      ),
    );
    runner.requestStop();
    expect((await heard.next("exited")).exit).toEqual({ code: 3, signal: null });
    expect(output()).toContain("the stop command took too long");
    expect(listMarked(home.path)).toEqual([]);
  });

  test("that ends well without effect is followed by the signal", async () => {
    const { heard, runner, output } = await start(
      home.spec(
        { command: obedient, ready: up, stopCommand: ["true"] },
        { manifest: { stopTimeoutMs: 400 } },
      ),
    );
    runner.requestStop();
    expect((await heard.next("exited")).exit).toEqual({ code: 3, signal: null });
    expect(output()).toContain("has not ended the process");
  });

  test("that goes on after the end of the process is waited for", async () => {
    const { heard, runner, output } = await start(
      home.spec({
        command: obedient,
        ready: up,
        stopCommand: shell(
          "kill $HALON_PID; while kill -0 $HALON_PID 2>/dev/null; do sleep 0.02; done; echo cleaned",
        ),
      }),
    );
    runner.requestStop();
    await heard.next("exited");
    expect(output()).toContain("cleaned");
  });
});

describe("a stop", () => {
  test("of one that ignores the signal ends in SIGKILL at the deadline of the life cycle", async () => {
    const events = createEventLog();
    const runtime = createRuntime({
      node: "node-1",
      dataDir: join(home.path, ".."),
      blobPath: (hash) => hash,
      emit: events.emit,
      // All of the tests' processes are found by the mark of their home.
      runners: {
        process: (spec, listener) =>
          startProcess({ ...spec, directory: join(home.path, "web") }, listener),
      },
      now: () => performance.now(),
    });
    home.spec({});
    const manifest = { ...manifestOf({ command: deaf, ready: up }), stopTimeoutMs: 200 };
    runtime.start(startAction(1, manifest));
    await events.next("ServiceStarted");
    runtime.stop({ type: "StopService", service: "web", instance: "web@node-1#1", reason: "test" });
    expect((await events.next("ServiceStopped")).exit).toEqual({ code: null, signal: "SIGKILL" });
    await runtime.shutdown({ keep: false });
  });

  test("wakes one that was stopped by a signal, so that it ends in order", async () => {
    const { heard, runner, output, pid } = await start(home.spec({ command: obedient, ready: up }));
    process.kill(-pid, "SIGSTOP");
    await until("it is stopped", () => readStat(pid)?.state === "T");
    runner.requestStop();
    expect((await heard.next("exited")).exit).toEqual({ code: 3, signal: null });
    expect(output()).toContain("term");
  });

  test("ends a daemon that has forked twice into a session of its own, before it is reported", async () => {
    const { heard, runner } = await start(
      home.spec({ command: shell("(setsid sleep 60 &); echo up; sleep 60"), ready: up }),
    );
    expect(listMarked(home.path).length).toBeGreaterThanOrEqual(2);
    runner.requestStop();
    await heard.next("exited");
    expect(listMarked(home.path)).toEqual([]);
  });

  test("of one that closed its output is as any other", async () => {
    const { heard, runner } = await start(
      home.spec({ command: shell("exec >&- 2>&- <&-; exec sleep 60") }),
    );
    runner.requestStop();
    expect((await heard.next("exited")).exit).toEqual({ code: null, signal: "SIGTERM" });
  });

  test("does not wait for a zombie in the group", async () => {
    const zombie = 'if (fork() == 0) { exit 0 } $| = 1; print "up\\n"; sleep 60';
    const { heard, runner, pid } = await start(
      home.spec({ command: ["perl", "-e", zombie.replaceAll("{", "{{")], ready: up }),
    );
    await until(
      "there is a zombie",
      () => listMarked(home.path).length === 1 && readStat(pid) !== undefined,
    );
    runner.requestStop();
    await heard.next("exited");
  });
});

test("what a process that ended by itself left in another session is ended after it, and not what comes next", async () => {
  const command = shell("setsid sleep 60 & echo up; sleep 0.1; exit 1");
  const { heard } = await start(home.spec({ command, ready: up }));
  await heard.next("exited");
  // The same mark, born after the end of the first.
  const next = await start(home.spec({}, { service: "web", incarnation: 1 }));
  await until("only the next one is left", () => listMarked(home.path).length === 1);
  const [left] = listMarked(home.path);
  expect(left?.pid).toBe(next.pid);
});

describe("liveness", () => {
  test("asks whether it runs and is not stopped", async () => {
    const { heard, runner, pid } = await start(home.spec({}));
    expect(await runner.alive?.(100)).toEqual({ ok: true });
    process.kill(pid, "SIGSTOP");
    await until("it is stopped", () => readStat(pid)?.state === "T");
    expect(await runner.alive?.(100)).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/stopped/),
    });
    process.kill(pid, "SIGKILL");
    await heard.next("exited");
    expect(await runner.alive?.(100)).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/does not run/),
    });
  });

  test("several failures in a row end the process, with the cause", async () => {
    const events = createEventLog();
    const runtime = createRuntime({
      node: "node-1",
      dataDir: home.path,
      blobPath: (hash) => hash,
      emit: events.emit,
      runners: { process: startProcess },
      now: () => performance.now(),
    });
    const liveness = { type: "tcp", port: "1" } as const;
    const manifest = { ...manifestOf({ liveness }), checkEveryMs: 50, livenessFailures: 2 };
    runtime.start(startAction(1, manifest));
    const { osPid = 0 } = await events.next("ServiceStarted");
    const { startTime = 0 } = readStat(osPid) ?? {};
    const failed = await events.next("ServiceFailed");
    expect(failed).toMatchObject({
      cause: "liveness",
      reason: expect.stringMatching(/2 checks in a row failed: port 1/),
    });
    expect(isRunning({ pid: osPid, startTime })).toBe(false);
    await runtime.shutdown({ keep: false });
  });
});
