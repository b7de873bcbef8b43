import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Heard, hear } from "../process/testing.ts";
import type { Runner, RunnerSpec } from "../runner.ts";
import { startOcf } from "./runner.ts";
import { hasDebianAgents, type OcfHome, openOcfHome } from "./testing.ts";

const hasPrograms = ["/usr/bin/redis-server", "/usr/sbin/nginx"].every((path) => existsSync(path));
if (!hasDebianAgents || !hasPrograms) {
  process.stderr.write(
    "skipped: the agents of Debian need root and the packages resource-agents, redis-server and nginx-light\n",
  );
}

let home: OcfHome;
let heard: Heard;

beforeEach(() => {
  home = openOcfHome();
  chmodSync(home.path, 0o755);
  heard = hear();
});
afterEach(() => home.close());

/** The end-to-end tests run the same agents in a cluster; here for long runs. */
const isLong = process.env["HALON_E2E_LONG"] !== undefined;

describe.skipIf(!hasDebianAgents || !hasPrograms || !isLong)("the agents of Debian", () => {
  test("Dummy: starts, is well, stops; its state outlives halond and not the machine", async () => {
    const runner = await start(await home.spec("ocf:heartbeat:Dummy", {}));
    expect(await runner.check(5_000)).toEqual({ health: "ok" });
    expect(runner.osPid).toBeUndefined();
    await stopped(runner);
  });

  test("anything: its daemon leaves environment and session, and is known by its mark all the same", async () => {
    const config = {
      binfile: "/bin/sleep",
      cmdline_options: "1003",
      pidfile: join(home.path, "anything.pid"),
    };
    const runner = await start(await home.spec("ocf:heartbeat:anything", config));
    const pid = Number(readFileSync(config.pidfile, "utf8"));
    expect(runner.osPid).toBe(pid);
    expect(home.pidsOf("web")).toContain(pid);
    process.kill(pid, "SIGKILL");
    expect((await failed(runner)).reason).toMatch(/monitor returned (1|7) /);
    const again = await start(await home.spec("ocf:heartbeat:anything", config));
    await stopped(again);
  });

  test("redis: killed, hung and started again", async () => {
    const spec = await redis();
    const first = await start(spec);
    const pid = first.osPid ?? 0;
    expect(commandOf(pid)).toContain("redis-server");
    process.kill(pid, "SIGKILL");
    const killedAt = performance.now();
    const problem = await failed(first);
    expect(problem).toMatchObject({ cause: "exit" });
    process.stderr.write(
      `redis: ${Math.round(performance.now() - killedAt)} ms from kill -9 to its end\n`,
    );

    const second = await start(spec);
    process.kill(second.osPid ?? 0, "SIGSTOP");
    void second.check(1_000);
    expect(await failed(second)).toMatchObject({ cause: "hung" });

    await stopped(await start(spec));
  });

  test("redis: promoted by message", async () => {
    const runner = await start(await redis());
    expect(await runner.call("promote", [], 20_000)).toMatchObject({ result: "success" });
    await stopped(runner);
  });

  test("nginx: its workers are ended when its master is killed; a configuration it refuses is told", async () => {
    const { spec, config } = await nginx();
    const runner = await start(spec);
    const before = home.pidsOf("web");
    expect(before.length).toBeGreaterThan(1);
    process.kill(runner.osPid ?? 0, "SIGKILL");
    await failed(runner);

    writeFileSync(config, `${readFileSync(config, "utf8")}nonsense on;\n`);
    heard = hear();
    startOcf(spec, heard.listener);
    expect(await heard.next("problem")).toMatchObject({
      code: "HAL_CONFIG_INVALID",
      reason: expect.stringContaining("not configured"),
    });
    await heard.next("exited");
    expect(home.pidsOf("web")).toEqual([]);
  });

  async function start(spec: RunnerSpec): Promise<Runner> {
    heard = hear();
    const runner = startOcf(spec, heard.listener);
    await heard.next("ready");
    return runner;
  }

  async function stopped(runner: Runner): Promise<void> {
    runner.requestStop();
    expect(await heard.next("exited")).toMatchObject({ reason: "it was asked to stop" });
    expect(home.pidsOf("web")).toEqual([]);
  }

  async function failed(runner: Runner) {
    const problem = await heard.next("problem");
    runner.kill();
    await heard.next("exited");
    expect(home.pidsOf("web")).toEqual([]);
    return problem;
  }

  async function redis(): Promise<RunnerSpec> {
    const directory = join(home.path, "redis");
    mkdirSync(directory, { mode: 0o755 });
    execFileSync("chown", ["redis", directory]);
    const config = join(directory, "redis.conf");
    writeFileSync(config, `port ${await freePort()}\nbind 127.0.0.1\ndir ${directory}\nsave ""\n`);
    return home.spec(
      "ocf:heartbeat:redis",
      { config, rundir: directory },
      { checkTimeoutMs: 5_000 },
    );
  }

  async function nginx(): Promise<{ readonly spec: RunnerSpec; readonly config: string }> {
    const config = join(home.path, "nginx.conf");
    writeFileSync(
      config,
      `pid ${home.path}/nginx.pid;
error_log ${home.path}/error.log;
events { }
http {
  access_log off;
  server {
    listen 127.0.0.1:${await freePort()};
    location /nginx_status {
      stub_status on;
    }
  }
}
`,
    );
    return { spec: await home.spec("ocf:heartbeat:nginx", { configfile: config }), config };
  }
});

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8");
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        resolve(typeof address === "object" && address !== null ? address.port : 0),
      );
    });
  });
}
