import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  act,
  cleanUp,
  ctl,
  events,
  field,
  halonctl,
  halondOf,
  kill,
  line,
  type Node,
  project,
  type ServiceStatus,
  service,
  start,
  startCluster,
  temporaryDirectory,
  waitFor,
  waitForState,
} from "./cluster.ts";

const needed = [
  "/usr/lib/ocf/resource.d/heartbeat/redis",
  "/usr/bin/redis-server",
  "/usr/sbin/nginx",
];
const isHere = process.getuid?.() === 0 && needed.every((path) => existsSync(path));
if (!isHere) {
  process.stderr.write(
    "skipped: real services need root and the packages resource-agents, redis-server and nginx-light\n",
  );
}

/** Short times, so that a failure of any kind is found within a second or two. */
const common = `version: "1.0.0", startTimeout: "20s", stopTimeout: "5s", checkEvery: "500ms", checkTimeout: "5s",
  restart: { resetAfter: "500ms" },`;

const ocfService = (name: string, agent: string) =>
  `import { defineService } from "@halon/service";
export default defineService({ name: "${name}", ocf: "${agent}", ${common} });
`;

const processService = (name: string, parts: string) =>
  `import { defineService, z } from "@halon/service";
export default defineService({
  name: "${name}", ${common} livenessFailures: 2,
  config: z.object({ file: z.string(), port: z.number().int() }),
  process: { ${parts} },
});
`;

const services = ["redis-ocf", "nginx-ocf", "redis-process", "nginx-process"];

let node: Node;
let directory: string;

describe.skipIf(!isHere)("redis and nginx of Debian, by their agents and as processes", () => {
  beforeAll(async () => {
    directory = temporaryDirectory();
    // redis runs as its own user, and its directory is below this one.
    chmodSync(directory, 0o755);
    const file = project(join(directory, "project"), {
      "cluster.ts": await clusterFile(),
      "dummy.service.ts": ocfService("dummy", "ocf:heartbeat:Dummy"),
      "redis-ocf.service.ts": ocfService("redis-ocf", "ocf:heartbeat:redis"),
      "nginx-ocf.service.ts": ocfService("nginx-ocf", "ocf:heartbeat:nginx"),
      "redis-process.service.ts": processService(
        "redis-process",
        'command: ["redis-server", "{config.file}"], ready: { type: "tcp", port: "{config.port}" }',
      ),
      "nginx-process.service.ts": processService(
        "nginx-process",
        `command: ["nginx", "-c", "{config.file}", "-g", "daemon off;"],
         ready: { type: "http", url: "http://127.0.0.1:{config.port}/status" },
         liveness: { type: "http", url: "http://127.0.0.1:{config.port}/status" }`,
      ),
    });
    node = await startCluster(join(directory, "data"));
    await ctl(node.endpoint, "apply", "-f", file);
  });

  afterEach(async () => {
    expect(await service(node.endpoint, "dummy")).toMatchObject({ state: "running" });
  });

  afterAll(async () => {
    // Agents keep state below /run, which goes when they have stopped.
    for (const name of ["dummy", ...services]) {
      await act(node.endpoint, name, "stop").catch((error) => process.stderr.write(`${error}\n`));
    }
    // What takes another environment and title is not found by its command line; it holds a file, or stands in a directory.
    for (const pid of pidsWhere((path) => path.startsWith(directory))) kill(pid, "SIGKILL");
    await cleanUp();
  });

  test.each(services)("%s, killed with -9, runs again", async (name) => {
    const before = await running(name);
    kill(before.osPid ?? 0, "SIGKILL");
    const after = await nextOf(before);
    expect(after.osPid).not.toBe(before.osPid);
    const failure = await failureOf(before);
    process.stderr.write(`${name}: told ${String(field(failure, "reason")).split("\n")[0]}\n`);
  });

  test.each(services)("%s, hung by SIGSTOP, is found out and runs again", async (name) => {
    const before = await running(name);
    // All of it: the workers of a stopped master would serve on.
    for (const pid of familyOf(before.osPid ?? 0)) kill(pid, "SIGSTOP");
    await nextOf(before);
  });

  test.each(["nginx-ocf", "nginx-process"])(
    "%s with a file that it refuses is broken with the reason, and runs once the file is put right",
    async (name) => {
      const { osPid = 0 } = await running(name);
      const config = join(directory, `${name}.conf`);
      const good = readFileSync(config, "utf8");
      writeFileSync(config, `${good}nonsense on;\n`);
      kill(osPid, "SIGKILL");
      const broken = await waitForState(node.endpoint, name, "broken", { deadlineMs: 60_000 });
      expect(broken.reason).toMatch(name === "nginx-ocf" ? /not configured/ : /nonsense/);
      writeFileSync(config, good);
      await act(node.endpoint, name, "start");
      await running(name);
    },
  );

  test("actions of an agent are sent as messages, and a parameter it can reload needs no restart", async () => {
    const before = await running("dummy");
    await ctl(node.endpoint, "service", "send", "redis-ocf", "promote", "--on", "node-2");
    await ctl(node.endpoint, "service", "config", "set", "dummy", "fake=another");
    expect((await running("dummy")).incarnation).toBe(before.incarnation);
    const refused = await halonctl(node.endpoint, "service", "config", "set", "dummy", "fakes=1");
    expect(refused.stderr).toContain("fakes");
  });

  test("a stop leaves nothing behind", async () => {
    const pids = (await Promise.all(services.map(running))).map(({ osPid = 0 }) => osPid);
    expect(holdersOf("redis-ocf")).toContain(pids[0]);
    await Promise.all(services.map((name) => act(node.endpoint, name, "stop")));
    const left = {
      pids: pids.filter((pid) => existsSync(`/proc/${pid}/exe`)),
      holders: services.flatMap(holdersOf),
    };
    await Promise.all(services.map((name) => act(node.endpoint, name, "start")));
    expect(left).toEqual({ pids: [], holders: [] });
  });

  test("what runs by an agent outlives halond, and is the same afterwards", async () => {
    const before = await running("redis-ocf");
    expect(before.incarnation).toBeGreaterThan(0);
    const launcher = { ...node, output: () => node.output().split("node node-2 was")[1] ?? "" };
    kill(halondOf(join(node.dataDir, "node-2")), "SIGKILL");
    await waitForState(node.endpoint, "redis-ocf", "unknown", { deadlineMs: 30_000 });
    const command = await line(launcher, /^ {2}(\S+ \S+halond\.js start .*)$/m);
    start(command.split(" ").slice(1));
    const after = await running("redis-ocf");
    expect({ instance: after.instance, osPid: after.osPid }).toEqual({
      instance: before.instance,
      osPid: before.osPid,
    });
  });
});

async function running(name: string): Promise<ServiceStatus> {
  return waitForState(node.endpoint, name, "running", { deadlineMs: 60_000 });
}

function nextOf({ service: name, incarnation }: ServiceStatus): Promise<ServiceStatus> {
  return waitFor(
    `${name} to run again`,
    async () => {
      const row = await service(node.endpoint, name);
      if (row?.state === "running" && row.incarnation > incarnation) return row;
      throw new Error(JSON.stringify(row));
    },
    60_000,
  );
}

function failureOf({ instance }: ServiceStatus) {
  return waitFor(`the failure of ${instance}`, async () =>
    (await events(node.endpoint, "ServiceFailed")).find(
      (entry) => field(entry, "instance") === instance,
    ),
  );
}

/** A process and its children. */
function familyOf(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return [pid, ...children.split(" ").filter(Boolean).map(Number)];
}

/** Processes that an agent has started for the service, the agent's own calls among them. */
function holdersOf(name: string): readonly number[] {
  return pidsWhere(
    (held) => held.startsWith(`${directory}/data/`) && held.endsWith(`/${name}/ocf.mark`),
  );
}

/** Processes whose directory or third file is such a path. */
function pidsWhere(fits: (path: string) => boolean): readonly number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid)
    .filter((pid) => ["cwd", "fd/3"].some((link) => fits(targetOf(`/proc/${pid}/${link}`))));
}

function targetOf(link: string): string {
  try {
    return realpathSync(link);
  } catch {
    return ""; // It has ended, or has no such file.
  }
}

async function clusterFile(): Promise<string> {
  const redis = async (name: string) => {
    const own = join(directory, name);
    mkdirSync(own);
    execFileSync("chown", ["redis", own]);
    const port = await freePort();
    const file = join(directory, `${name}.conf`);
    writeFileSync(file, `port ${port}\nbind 127.0.0.1\ndir ${own}\nsave ""\n`);
    return { own, file, port };
  };
  const nginx = async (name: string, log: string) => {
    const port = await freePort();
    const file = join(directory, `${name}.conf`);
    const status = "location /status {\n      stub_status on;\n    }";
    writeFileSync(
      file,
      `pid ${directory}/${name}.pid;
error_log ${log};
events { }
http {
  access_log off;
  server {
    listen 127.0.0.1:${port};
    ${status}
  }
}
`,
    );
    return { file, port };
  };
  const [redisOcf, redisProcess] = [await redis("redis-ocf"), await redis("redis-process")];
  const [nginxOcf, nginxProcess] = [
    // A daemon that keeps its standard error keeps the agent waiting for the end of its output.
    await nginx("nginx-ocf", `${directory}/nginx-ocf.log`),
    await nginx("nginx-process", "stderr"),
  ];
  const entries = [
    { name: "dummy", config: {} },
    { name: "redis-ocf", config: { config: redisOcf.file, rundir: redisOcf.own } },
    { name: "nginx-ocf", config: { configfile: nginxOcf.file, OCF_CHECK_LEVEL: 10 } },
    { name: "redis-process", config: { file: redisProcess.file, port: redisProcess.port } },
    { name: "nginx-process", config: { file: nginxProcess.file, port: nginxProcess.port } },
  ].map(({ name, config }) => ({ type: `./${name}.service.ts`, on: { node: "node-2" }, config }));
  return `import { defineCluster } from "@halon/service";
export default defineCluster({ services: ${JSON.stringify(entries)} });
`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
