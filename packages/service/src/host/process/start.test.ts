import { once } from "node:events";
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunnerSpec } from "../runner.ts";
import { groupExists } from "./group.ts";
import { readEnvironment, runningMembers } from "./proc.ts";
import { startProcess } from "./start.ts";
import { type Heard, type Home, hear, openHome, until } from "./testing.ts";

let home: Home;
const servers: { close(): unknown }[] = [];
beforeEach(() => {
  home = openHome();
});
afterEach(() => {
  home.close();
  for (const server of servers.splice(0)) server.close();
});

const node = (code: string) => ["node", "-e", code.replaceAll("{", "{{")];
const shell = (code: string) => ["sh", "-c", code];
const recordOf = (spec: RunnerSpec) => join(spec.directory, "process.json");

function start(spec: RunnerSpec, heard: Heard = hear()) {
  return { heard, runner: startProcess(spec, heard.listener) };
}

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

describe("a start", () => {
  test("reports nothing within the call, then loaded and ready", async () => {
    const { heard, runner } = start(home.spec({}));
    expect(heard.events).toEqual([]);
    await heard.next("ready");
    expect(heard.types()).toEqual(["loaded", "ready"]);
    expect(runner.osPid).toBeGreaterThan(1);
  });

  test("fills templates, runs in the directory and sees only the allowed environment", async () => {
    process.env["HALON_TEST_SECRET"] = "hidden";
    const spec = home.spec(
      {
        // It stays: a process that has ended has no environment to look at.
        command: [
          "node",
          "-e",
          "console.log(process.argv[1], process.cwd()); setInterval(Date.now, 1000)",
          "{config.word}",
        ],
        env: { WORD: "{config.word}", HALON_HOME: "/elsewhere" },
        ready: { type: "output", pattern: "." },
      },
      { config: { word: "$HOME `x` *" } },
    );
    const { heard, runner } = start(spec);
    await heard.next("ready");
    const environment = readEnvironment(runner.osPid ?? 0);
    expect(readFileSync(join(spec.directory, "output.log"), "utf8")).toBe(
      `$HOME \`x\` * ${spec.directory}\n`,
    );
    expect(environment?.get("WORD")).toBe("$HOME `x` *");
    expect(environment?.get("HALON_HOME")).toBe(home.path);
    expect(environment?.get("HALON_INSTANCE")).toBe("web@node-1#1");
    expect(environment?.get("HALON_SERVICE")).toBe("web");
    expect(environment?.get("HALON_NODE")).toBe("node-1");
    expect(environment?.has("HALON_TEST_SECRET")).toBe(false);
    delete process.env["HALON_TEST_SECRET"];
  });

  test("leaves a private record, which goes with the process", async () => {
    const spec = home.spec({});
    const { heard, runner } = start(spec);
    expect(JSON.parse(readFileSync(recordOf(spec), "utf8"))).toMatchObject({
      pid: runner.osPid,
      instance: "web@node-1#1",
    });
    expect(statSync(recordOf(spec)).mode & 0o777).toBe(0o600);
    await heard.next("ready");
    runner.kill();
    await heard.next("exited");
    expect(existsSync(recordOf(spec))).toBe(false);
  });
});

describe("a start that fails", () => {
  test.each([
    {
      name: "no such program",
      command: ["/no/such/program"],
      says: /\/no\/such\/program.*ENOENT/s,
    },
    { name: "a missing field", command: ["sleep", "{config.seconds}"], says: /seconds/ },
    { name: "a null byte", command: ["sleep", "a\0b"], says: /null bytes/ },
  ])("$name: problem, then exited", async ({ command, says }) => {
    const { heard, runner } = start(home.spec({ command }));
    expect(heard.events).toEqual([]);
    await heard.next("exited");
    expect(heard.types()).toEqual(["problem", "exited"]);
    expect(heard.events[0]).toMatchObject({
      code: "HAL_SERVICE_START",
      reason: expect.stringMatching(says),
    });
    expect(runner.osPid).toBeUndefined();
    expect(await runner.check(100)).toMatchObject({ health: "fail" });
  });

  test("a file that may not be run", async () => {
    const spec = home.spec({ command: ["{directory}/tool"] });
    writeFileSync(join(spec.directory, "tool"), "#!/bin/sh\n");
    chmodSync(join(spec.directory, "tool"), 0o600);
    const { heard } = start(spec);
    expect(await heard.next("problem")).toMatchObject({
      reason: expect.stringMatching(/tool.*EACCES/s),
    });
    await heard.next("exited");
  });

  test("an invalid pattern starts nothing", async () => {
    const { heard } = start(home.spec({ ready: { type: "output", pattern: "(" } }));
    expect(await heard.next("problem")).toMatchObject({ reason: expect.stringMatching(/Invalid/) });
    await heard.next("exited");
  });

  test("an end before readiness shows what was written, and not what an earlier one wrote", async () => {
    const spec = home.spec({
      command: shell("for i in 1 2 3 4 5 6; do echo line $i; done; exit 3"),
      ready: { type: "output", pattern: "never" },
    });
    writeFileSync(join(spec.directory, "output.log"), "never\n");
    const { heard } = start(spec);
    const { exit } = await heard.next("exited");
    expect(exit).toEqual({ code: 3, signal: null });
    expect(heard.types()).toEqual(["loaded", "problem", "exited"]);
    const { reason } = await heard.next("problem");
    expect(reason).toContain("exited with code 3");
    expect(reason.split("\n").slice(1)).toEqual([2, 3, 4, 5, 6].map((i) => `line ${i}`));
  });
});

describe("readiness", () => {
  test("by output takes the resource that the line names", async () => {
    const { heard } = start(
      home.spec({
        command: node(
          "process.stdout.write('starting\\nlistening on po');" +
            "setTimeout(() => console.log('rt 8080 as 007'), 30); setInterval(() => {}, 1000)",
        ),
        ready: {
          type: "output",
          pattern: "listening on port (?<port>\\d+) as (?<agent>\\d+)",
          acquire: {
            kind: "TcpPort",
            id: "{node}:{port}",
            attributes: { port: "{port}", agent: "{agent}", by: "{service}" },
          },
        },
      }),
    );
    await heard.next("ready");
    expect(heard.types()).toEqual(["loaded", "acquired", "ready"]);
    expect(heard.events[1]).toEqual({
      type: "acquired",
      kind: "TcpPort",
      id: "node-1:8080",
      attributes: { port: 8080, agent: "007", by: "web" },
    });
  });

  test("by output takes a prompt without an end of line", async () => {
    const { heard } = start(
      home.spec({
        command: shell("printf 'ready> '; sleep 60"),
        ready: { type: "output", pattern: "^ready> $" },
      }),
    );
    await heard.next("ready");
  });

  test("a resource that cannot be named is a problem and ends the process", async () => {
    const { heard } = start(
      home.spec({
        command: shell("echo up; sleep 60"),
        ready: {
          type: "output",
          pattern: "up",
          acquire: { kind: "TcpPort", id: "{port}", attributes: {} },
        },
      }),
    );
    await heard.next("exited");
    expect(heard.types()).toEqual(["loaded", "problem", "exited"]);
  });

  test("by tcp waits until the port answers", async () => {
    const server = createServer();
    const port = await listen(server);
    server.close();
    const { heard } = start(
      home.spec({ ready: { type: "tcp", port: "{config.port}" } }, { config: { port } }),
    );
    await heard.next("loaded");
    const again = createServer();
    servers.push(again);
    again.listen(port, "127.0.0.1");
    await heard.next("ready");
  });

  test("by http waits for 2xx", async () => {
    let asked = 0;
    const server = createHttpServer((_request, response) => {
      asked += 1;
      response.writeHead(asked < 3 ? 503 : 204).end();
    });
    const port = await listen(server);
    const { heard } = start(
      home.spec(
        { ready: { type: "http", url: "http://127.0.0.1:{config.port}/up" } },
        { config: { port } },
      ),
    );
    await heard.next("ready");
    expect(asked).toBe(3);
  });
});

describe("an end", () => {
  test("is reported with its code", async () => {
    const { heard } = start(home.spec({ command: shell("exit 7") }));
    expect((await heard.next("exited")).exit).toEqual({ code: 7, signal: null });
    expect(heard.types().at(-1)).toBe("exited");
  });

  test("by the stop signal is reported with the signal", async () => {
    const { heard, runner } = start(home.spec({ stopSignal: "SIGINT" }));
    await heard.next("ready");
    runner.requestStop();
    expect((await heard.next("exited")).exit).toEqual({ code: null, signal: "SIGINT" });
    expect(heard.types()).toEqual(["loaded", "ready", "exited"]);
  });

  test("is forced where the stop signal is ignored", async () => {
    const { heard, runner } = start(
      home.spec({
        command: node(
          "process.on('SIGTERM', () => console.log('no')); console.log('up'); setInterval(() => {}, 1000)",
        ),
        ready: { type: "output", pattern: "up" },
      }),
    );
    await heard.next("ready");
    runner.requestStop();
    await until("the signal was seen", () =>
      readFileSync(join(home.path, "web/output.log"), "utf8").includes("no"),
    );
    expect(heard.types()).not.toContain("exited");
    runner.kill();
    expect((await heard.next("exited")).exit).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("of the leader is not the end while a grandchild lives, even one that ignores SIGTERM", async () => {
    const { heard, runner } = start(
      home.spec({
        command: shell("(trap '' TERM; echo up; sleep 60; sleep 60) & wait"),
        ready: { type: "output", pattern: "up" },
      }),
    );
    await heard.next("ready");
    const pid = runner.osPid ?? 0;
    const startedAt = performance.now();
    process.kill(pid, "SIGKILL");
    await until("the leader is gone", () => !runningMembers(pid).some((of) => of.pid === pid));
    expect(heard.types()).not.toContain("exited");
    expect((await heard.next("exited")).exit).toEqual({ code: null, signal: "SIGKILL" });
    expect(performance.now() - startedAt).toBeGreaterThan(450);
    expect(runningMembers(pid)).toEqual([]);
  });

  test("without children is reported as soon as the parent knows it", async () => {
    const { heard, runner } = start(home.spec({}));
    await heard.next("ready");
    runner.kill();
    await heard.next("exited");
    expect(groupExists(runner.osPid ?? 0)).toBe(false);
  });

  test("kill does not wait for the rest of the group", async () => {
    const { heard, runner } = start(
      home.spec({
        command: shell("(trap '' TERM; echo up; sleep 60; sleep 60) & wait"),
        ready: { type: "output", pattern: "up" },
      }),
    );
    await heard.next("ready");
    const killedAt = performance.now();
    runner.kill();
    await heard.next("exited");
    expect(performance.now() - killedAt).toBeLessThan(400);
  });

  test("lets the next start take the same directory from within the report", async () => {
    const spec = home.spec({});
    const second = hear();
    const first = startProcess(spec, (event) => {
      if (event.type === "exited") startProcess(spec, second.listener);
    });
    first.kill();
    await second.next("ready");
    expect(existsSync(recordOf(spec))).toBe(true);
  });
});

describe("output", () => {
  test("of a flooding process is kept within its limit", async () => {
    const outputBytesMax = 65_536;
    const spec = home.spec({ command: shell("yes 'a line of output'"), outputBytesMax });
    const { heard, runner } = start(spec);
    await heard.next("ready");
    const older = join(spec.directory, "output.1.log");
    let largest = 0;
    await until("it was cut while it grew", () => {
      const { size } = statSync(join(spec.directory, "output.log"));
      largest = Math.max(largest, size);
      return size < largest;
    });
    expect(statSync(older).size).toBeLessThanOrEqual(outputBytesMax);
    runner.kill();
    await heard.next("exited");
    await until("what was left was cut too", () => {
      const size =
        statSync(join(spec.directory, "output.log"), { throwIfNoEntry: false })?.size ?? 0;
      return size <= outputBytesMax && statSync(older).size <= outputBytesMax;
    });
  });
});

describe("questions", () => {
  test("status tells of the process", async () => {
    const spec = home.spec({
      command: shell("echo one; echo two; exec sleep 60"),
      ready: { type: "output", pattern: "two" },
    });
    const { heard, runner } = start(spec);
    await heard.next("ready");
    expect(await runner.status(100)).toMatchObject({
      osPid: runner.osPid,
      rssKb: expect.any(Number),
      lastLines: ["one", "two"],
    });
    expect(runner.memoryMb()).toBeGreaterThan(0);
    expect(runner.silentMs()).toBeUndefined();
    expect(await runner.reconfigure({}, 100)).toBe("restart");
    await expect(runner.call("ping", [], 100)).rejects.toMatchObject({ code: "HAL_BAD_REQUEST" });
  });

  test("a check by http says what was answered, and late answers are failures", async () => {
    let answer: number | undefined = 200;
    const server = createHttpServer((_request, response) => {
      if (answer !== undefined) response.writeHead(answer).end();
    });
    const port = await listen(server);
    const { heard, runner } = start(
      home.spec(
        { check: { type: "http", url: "http://127.0.0.1:{config.port}/" } },
        { config: { port } },
      ),
    );
    await heard.next("ready");
    expect(await runner.check(1_000)).toEqual({ health: "ok" });
    answer = 500;
    expect(await runner.check(1_000)).toEqual({
      health: "fail",
      detail: expect.stringContaining("answered 500"),
    });
    answer = undefined;
    expect(await runner.check(50)).toEqual({
      health: "fail",
      detail: expect.stringContaining("50 ms"),
    });
    server.closeAllConnections();
  });

  test("a check by tcp fails on a closed port, and alive asks for the process only", async () => {
    const server = createServer();
    const port = await listen(server);
    const tcp = start(
      home.spec({ check: { type: "tcp", port: String(port) } }, { service: "tcp" }),
    );
    const alive = start(home.spec({}, { service: "alive" }));
    await Promise.all([tcp.heard.next("ready"), alive.heard.next("ready")]);
    expect(await tcp.runner.check(1_000)).toEqual({ health: "ok" });
    server.close();
    expect(await tcp.runner.check(1_000)).toMatchObject({ health: "fail" });
    expect(await alive.runner.check(1_000)).toEqual({ health: "ok" });
    alive.runner.kill();
    await alive.heard.next("exited");
    expect(await alive.runner.check(1_000)).toMatchObject({ health: "fail" });
    await expect(alive.runner.status(100)).rejects.toMatchObject({
      code: "HAL_SERVICE_NOT_RUNNING",
    });
  });
});
