import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { monotonicMs } from "../monotonic.ts";
import { adoptProcesses, type Found } from "../process/adopt.ts";
import { listMarked } from "../process/mark.ts";
import {
  isRunning,
  type ProcessId,
  readCommand,
  readEnvironment,
  readStat,
} from "../process/proc.ts";
import { readRecord } from "../process/record.ts";
import { type Home, hear, openHome, until } from "../process/testing.ts";
import type { RunnerSpec } from "../runner.ts";
import { startKept } from "./start-kept.ts";

const parentFile = fileURLToPath(new URL("../../../testdata/keeper/parent.mjs", import.meta.url));
const fenced = fileURLToPath(new URL("../../../testdata/workers/fenced.mjs", import.meta.url));
const shell = (code: string) => ["sh", "-c", code];
const up = { type: "output", pattern: "^up$" } as const;
/** Long enough that a busy machine has all running, and renews, in time. */
const leaseMs = 2_000;
const lease = { token: 7, leaseMs };
/** For what is not about its end. */
const longLease = { token: 9, leaseMs: 60_000 };

let home: Home;
const parents: ChildProcess[] = [];
beforeEach(() => {
  home = openHome();
});
afterEach(() => {
  for (const parent of parents.splice(0)) parent.kill("SIGKILL");
  home.close();
});

function idOf(pid: number | undefined): ProcessId {
  const stat = readStat(pid ?? 0);
  if (stat === undefined) throw new Error(`there is no process ${pid}`);
  return { pid: stat.pid, startTime: stat.startTime };
}

function keeperOf(spec: RunnerSpec): ProcessId {
  const found = readRecord(spec.directory);
  const keeper = found.type === "record" ? found.record.keeper : undefined;
  if (keeper === undefined) throw new Error("the record names no keeper");
  return { pid: keeper.pid, startTime: keeper.startTime };
}

async function startHere(spec: RunnerSpec) {
  const heard = hear();
  const runner = startKept(spec, heard.listener);
  await heard.next("ready");
  return { heard, runner, program: idOf(runner.osPid), keeper: keeperOf(spec) };
}

/** Starts it in a process that can be killed and stopped: what stands for a halond. */
async function startThere(spec: RunnerSpec, renewEveryMs: number) {
  const args = [parentFile, JSON.stringify(spec), String(renewEveryMs)];
  const parent = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  parents.push(parent);
  for await (const line of createInterface({ input: parent.stdout })) {
    const event = JSON.parse(line) as { type: string; osPid: number };
    if (event.type === "ready") {
      return { parent, program: idOf(event.osPid), keeper: keeperOf(spec) };
    }
    if (event.type === "exited") break;
  }
  throw new Error("the instance was not started");
}

async function adopt(): Promise<readonly Found[]> {
  const found: Found[] = [];
  const options = {
    servicesDirectory: home.path,
    node: "node-1",
    blobPath: (hash: string) => hash,
  };
  await adoptProcesses(options, (one) => found.push(one));
  return found;
}

describe("a kept program", () => {
  test("knows its token and its lease, and neither secrets nor descriptors are where they do not belong", async () => {
    const spec = home.spec(
      {
        command: shell("echo up; exec sleep 6{token}"),
        ready: up,
        env: { PASSWORD: "{config.word}" },
      },
      { lease: longLease, config: { word: "geheim" } },
    );
    const { heard, runner, program, keeper } = await startHere(spec);
    expect(heard.types()).toEqual(["loaded", "ready"]);
    const environment = readEnvironment(program.pid);
    expect(environment?.get("HALON_FENCING_TOKEN")).toBe("9");
    expect(environment?.get("HALON_LEASE_MS")).toBe("60000");
    expect(environment?.get("PASSWORD")).toBe("geheim");
    await until(
      "it has become the program",
      () => readCommand(program.pid).join(" ") === "sleep 69",
    );
    expect(readCommand(keeper.pid).join(" ")).not.toContain("geheim");
    expect(readEnvironment(keeper.pid)?.has("PASSWORD")).toBe(false);
    expect(readStat(program.pid)).toMatchObject({ parent: keeper.pid, group: program.pid });
    runner.kill();
    await heard.next("exited");
  });

  test("is stopped in order, and its keeper goes with it", async () => {
    const command = shell("trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done");
    const { heard, runner, keeper } = await startHere(
      home.spec({ command, ready: up }, { lease: longLease }),
    );
    runner.requestStop();
    expect((await heard.next("exited")).exit).toEqual({ code: 3, signal: null });
    expect(heard.types()).toEqual(["loaded", "ready", "exited"]);
    expect(isRunning(keeper)).toBe(false);
    expect(listMarked(home.path)).toEqual([]);
    expect(existsSync(join(home.path, "web", "keeper.sock"))).toBe(false);
  });

  test("that ends by itself is reported with its exit", async () => {
    const command = shell("echo up; sleep 0.1; exit 9");
    const { heard, keeper } = await startHere(
      home.spec({ command, ready: up }, { lease: longLease }),
    );
    expect((await heard.next("exited")).exit).toEqual({ code: 9, signal: null });
    expect(isRunning(keeper)).toBe(false);
  });

  test("that is not there could not be started", async () => {
    const heard = hear();
    startKept(home.spec({ command: ["/no/such/program"] }, { lease: longLease }), heard.listener);
    expect((await heard.next("problem")).reason).toMatch(/\/no\/such\/program.*ENOENT/);
    await heard.next("exited");
    expect(listMarked(home.path)).toEqual([]);
  });

  test("runs in a directory whose path is longer than that of a socket can be", async () => {
    const service = "s".repeat(120);
    const { runner, heard } = await startHere(home.spec({}, { lease: longLease, service }));
    expect(runner.release()).toBe(true);
    const [found] = await adopt();
    if (found?.type !== "adopted") throw new Error(`not adopted: ${JSON.stringify(found)}`);
    const next = hear();
    found.watch(next.listener).kill();
    await next.next("exited");
    expect(heard.types()).not.toContain("exited");
  });
});

describe("the lease", () => {
  test("that nobody renews ends the whole group and what left it, not before its end", async () => {
    const code = "trap '' TERM; sleep 61 & setsid sleep 62 & (setsid sleep 63 &); echo up; wait";
    const untilMs = monotonicMs() + leaseMs;
    const spec = home.spec({ command: shell(code), ready: up }, { lease: { ...lease, untilMs } });
    const { heard, program } = await startHere(spec);
    expect(listMarked(home.path).length).toBeGreaterThanOrEqual(5);
    expect(await heard.next("problem")).toMatchObject({ cause: "lease" });
    expect(monotonicMs()).toBeGreaterThanOrEqual(untilMs);
    await heard.next("exited");
    expect(heard.types()).toEqual(["loaded", "ready", "problem", "exited"]);
    expect(isRunning(program)).toBe(false);
    expect(listMarked(home.path)).toEqual([]);
  });

  test("that is renewed lets it run on, and ends with the last renewal", async () => {
    const shortMs = 1_500;
    const began = monotonicMs();
    const spec = home.spec({}, { lease: { token: 1, leaseMs: shortMs } });
    const { heard, runner, program } = await startHere(spec);
    const timer = setInterval(() => runner.renew?.(monotonicMs() + shortMs), shortMs / 6);
    await until("three leases are over", () => monotonicMs() > began + 3 * shortMs);
    clearInterval(timer);
    expect(isRunning(program)).toBe(true);
    expect(heard.types()).toEqual(["loaded", "ready"]);
    expect(await heard.next("problem")).toMatchObject({ cause: "lease" });
    await heard.next("exited");
    expect(isRunning(program)).toBe(false);
  });

  test("that is over at the start starts nothing", async () => {
    const heard = hear();
    const untilMs = monotonicMs() - 1;
    startKept(home.spec({}, { lease: { ...lease, untilMs } }), heard.listener);
    expect(await heard.next("problem")).toMatchObject({ cause: "lease" });
    await heard.next("exited");
    expect(heard.types()).not.toContain("loaded");
  });

  test("that ended while the keeper was paused is not revived by a renewal that waited", async () => {
    const { heard, runner, keeper, program } = await startHere(home.spec({}, { lease }));
    process.kill(keeper.pid, "SIGSTOP");
    await until("the keeper is stopped", () => readStat(keeper.pid)?.state === "T");
    const over = monotonicMs() + leaseMs;
    await until("its lease is over", () => monotonicMs() > over);
    expect(isRunning(program)).toBe(true);
    runner.renew?.(monotonicMs() + 60_000);
    process.kill(keeper.pid, "SIGCONT");
    expect(await heard.next("problem")).toMatchObject({ cause: "lease" });
    await heard.next("exited");
  });

  test("of a program that was stopped by a signal ends it as well", async () => {
    const { heard, program } = await startHere(home.spec({}, { lease }));
    process.kill(program.pid, "SIGSTOP");
    await heard.next("exited");
    expect(isRunning(program)).toBe(false);
  });
});

describe("the end of others", () => {
  test("of the keeper, by SIGKILL, ends the program and all of its group", async () => {
    const command = shell("trap '' TERM; sleep 61 & echo up; wait");
    const { heard, keeper, program } = await startHere(
      home.spec({ command, ready: up }, { lease: longLease }),
    );
    process.kill(keeper.pid, "SIGKILL");
    await heard.next("exited");
    expect(heard.types()).toEqual(["loaded", "ready", "problem", "exited"]);
    expect(isRunning(program)).toBe(false);
    expect(listMarked(home.path)).toEqual([]);
  });

  test("of the keeper ends the program even where halond cannot act", async () => {
    const { parent, keeper, program } = await startThere(home.spec({}, { lease: longLease }), 100);
    parent.kill("SIGSTOP");
    const isStopped = () => readStat(parent.pid ?? 0)?.state === "T";
    await until("halond is stopped", isStopped);
    process.kill(keeper.pid, "SIGKILL");
    await until("the program is dead", () => !isRunning(program));
    expect(isStopped()).toBe(true);
  });

  test("of the keeper by SIGTERM ends the program first", async () => {
    const { heard, keeper, program } = await startHere(home.spec({}, { lease: longLease }));
    process.kill(keeper.pid, "SIGTERM");
    await heard.next("exited");
    expect(isRunning(program)).toBe(false);
  });

  test("a kill does not wait for a keeper that is paused", async () => {
    const { heard, runner, keeper, program } = await startHere(home.spec({}, { lease: longLease }));
    process.kill(keeper.pid, "SIGSTOP");
    runner.kill();
    await heard.next("exited");
    expect(isRunning(program)).toBe(false);
    expect(isRunning(keeper)).toBe(false);
  });

  test("a paused halond: its instance dies with the lease while it is paused", async () => {
    const { parent, program, keeper } = await startThere(home.spec({}, { lease }), 100);
    parent.kill("SIGSTOP");
    const isStopped = () => readStat(parent.pid ?? 0)?.state === "T";
    await until("halond is stopped", isStopped);
    await until("the program is dead", () => !isRunning(program));
    expect(isStopped()).toBe(true);
    await until("the keeper has ended", () => !isRunning(keeper));
  });

  test("a killed halond: its instance lives on until the lease ends, and not longer", async () => {
    const { parent, program, keeper } = await startThere(home.spec({}, { lease }), 100);
    parent.kill("SIGKILL");
    await once(parent, "exit");
    expect(isRunning(program)).toBe(true);
    await until("the program is dead", () => !isRunning(program));
    await until("the keeper has ended", () => !isRunning(keeper));
    expect(await adopt()).toMatchObject([{ type: "dropped" }]);
  });
});

describe("the next halond", () => {
  test("goes on with the instance under the same keeper and lease", async () => {
    const spec = home.spec({}, { lease: longLease });
    const { parent, program, keeper } = await startThere(spec, 0);
    parent.kill("SIGKILL");
    await once(parent, "exit");
    const [found, ...others] = await adopt();
    expect(others).toEqual([]);
    if (found?.type !== "adopted") throw new Error(`not adopted: ${JSON.stringify(found)}`);
    expect(found.spec.lease).toEqual(longLease);
    const heard = hear();
    const runner = found.watch(heard.listener);
    await heard.next("ready");
    expect(runner.osPid).toBe(program.pid);
    expect(isRunning(keeper)).toBe(true);
    runner.requestStop();
    expect((await heard.next("exited")).exit).toEqual({ code: null, signal: "SIGTERM" });
    expect(isRunning(keeper)).toBe(false);
    expect(await adopt()).toEqual([]);
  });

  test("ends what is left of an instance whose keeper is gone", async () => {
    const code = "setsid sleep 60 & echo up; wait";
    const spec = home.spec({ command: shell(code), ready: up }, { lease: longLease });
    const { parent, keeper } = await startThere(spec, 0);
    parent.kill("SIGKILL");
    process.kill(keeper.pid, "SIGKILL");
    await once(parent, "exit");
    await until("the keeper is gone", () => !isRunning(keeper));
    const found = await adopt();
    expect(found.map(({ type }) => type)).not.toContain("adopted");
    expect(listMarked(home.path)).toEqual([]);
  });

  test("renews the lease, and hears when the keeper ends the instance with it", async () => {
    const { parent, program } = await startThere(home.spec({}, { lease }), 100);
    parent.kill("SIGKILL");
    await once(parent, "exit");
    const endOfFirst = monotonicMs() + leaseMs;
    const [found] = await adopt();
    if (found?.type !== "adopted") throw new Error(`not adopted: ${JSON.stringify(found)}`);
    const heard = hear();
    const runner = found.watch(heard.listener);
    runner.renew?.(endOfFirst + leaseMs);
    await until("the lease of the first is over", () => monotonicMs() > endOfFirst + 200);
    expect(isRunning(program)).toBe(true);
    expect(heard.types()).toEqual(["loaded", "ready"]);
    expect(await heard.next("problem")).toMatchObject({ cause: "lease" });
    await heard.next("exited");
    expect(isRunning(program)).toBe(false);
  });
});

describe("a service in a Node process", () => {
  function specOfNode(leaseOf: typeof lease): RunnerSpec {
    mkdirSync(join(home.path, "web"), { recursive: true });
    const spec = home.spec({}, { lease: leaseOf, manifest: { kind: "worker" } });
    return { ...spec, blobPath: () => fenced };
  }

  test("is kept too, and knows its token", async () => {
    const heard = hear();
    const runner = startKept(specOfNode(longLease), heard.listener);
    await heard.next("ready");
    const program = idOf(runner.osPid);
    expect(await runner.status(1_000)).toEqual({ token: 9, lease: "60000" });
    expect(runner.release()).toBe(false);
    runner.requestStop();
    expect((await heard.next("exited")).exit).toEqual({ code: 0, signal: null });
    expect(isRunning(program)).toBe(false);
    expect(listMarked(home.path)).toEqual([]);
  });

  test("ends with its lease", async () => {
    const heard = hear();
    const runner = startKept(specOfNode(lease), heard.listener);
    await heard.next("ready");
    const program = idOf(runner.osPid);
    expect(await heard.next("problem")).toMatchObject({ cause: "lease" });
    await heard.next("exited");
    expect(isRunning(program)).toBe(false);
    expect(readFileSync(join(home.path, "web", "output.log"), "utf8")).not.toContain(
      "keeper fails",
    );
  });
});
