// Who brings the dead back: each starts three instances, and says how to kill one.
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const instanceCount = 3;
const readyMs = 60_000;
const here = fileURLToPath(new URL(".", import.meta.url));
const victim = join(here, "victim.pl");
const ownRoot = fileURLToPath(new URL("../..", import.meta.url));
/** Number of the system call clock_gettime. */
export const clock = String({ x64: 228, arm64: 113 }[process.arch] ?? 228);
const numbers = Array.from({ length: instanceCount }, (_, at) => at);

/** Kills the process that stamped last under this name; gives the time of death. */
function killByPid(stamps, name) {
  const pid = stamps.pid(name);
  const diedAt = process.hrtime.bigint();
  process.kill(pid, "SIGKILL");
  return diedAt;
}

/** Makes the worker behind the socket throw; gives the time that it stamped. */
async function crash(stamps, name) {
  const asked = process.hrtime.bigint();
  const socket = connect(`\0${stamps.path}/${name}`);
  socket.on("error", () => undefined);
  const diedAt = await stamps.after(`death/${name}`, asked, 5_000);
  socket.destroy();
  return diedAt;
}

/** Three nodes with a worker and an OS process on each, so many of them tracking nodes; two contestants of one cluster. */
export async function startHalon(
  stamps,
  dir,
  { label = "halon", root = ownRoot, tracking = 3 } = {},
) {
  const names = { process: label, worker: `${label}-worker` };
  mkdirSync(dir, { recursive: true });
  const trace = join(dir, "trace");
  const config = { stamps: stamps.path, clock };
  const file = join(dir, "cluster.ts");
  const service = (name, label) =>
    `{ type: ${JSON.stringify(join(here, name))}, on: "every-node", config: ${JSON.stringify({ ...config, label })} }`;
  writeFileSync(
    file,
    `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [
  ${service("victim.service.ts", names.process)},
  ${service("crasher.service.ts", names.worker).replace(`"clock":"${clock}",`, "")},
] });
`,
  );
  const child = spawn(
    process.execPath,
    [
      join(root, "packages/cli/bin/halond.js"),
      ...["start", "--local", String(instanceCount), "--data-dir", join(dir, "data")],
      ...["--listen", "127.0.0.1:0", "--log.level", "error", "--apply", file],
      // A checkout from before there was a choice has one, and knows no option for it.
      ...(tracking === null ? [] : ["--agency-size", String(tracking)]),
    ],
    { env: { ...process.env, HALON_TRACE: trace }, stdio: ["ignore", "pipe", "inherit"] },
  );
  await lineOf(child, "cluster ready");
  const nodes = numbers.map((number) => `node-${number + 1}`);
  const stop = () => end(child);
  const both = { trace, stop, minAgeMs: 700 };
  return [
    {
      ...both,
      title: label,
      service: "victim",
      instances: nodes.map((node) => `${names.process}/${node}`),
      kill: (name) => killByPid(stamps, name),
    },
    {
      ...both,
      title: `${label}, worker`,
      service: "crasher",
      instances: nodes.map((node) => `${names.worker}/${node}`),
      kill: (name) => crash(stamps, name),
    },
  ];
}

/** The plain loop. */
export async function startFloor(stamps) {
  const child = spawn(
    process.execPath,
    [join(here, "floor.mjs"), stamps.path, clock, String(instanceCount)],
    { stdio: "inherit" },
  );
  return byPid(stamps, "floor", () => end(child));
}

/** Installs pm2 into `dir` and runs it with a home of its own; undefined where the registry does not answer. */
export async function startPm2(stamps, dir) {
  const program = join(dir, "node_modules/pm2/bin/pm2");
  mkdirSync(dir, { recursive: true });
  if (!tryTo("npm", ["install", "--prefix", dir, "--no-audit", "--no-fund", "pm2@7.0.4"]))
    return undefined;
  const env = { ...process.env, PM2_HOME: join(dir, "home") };
  const apps = numbers.map((number) => ({
    name: `victim-${number}`,
    script: execFileSync("which", ["perl"]).toString().trim(),
    interpreter: "none",
    args: [victim, stamps.path, `pm2/${number}`, clock],
    max_restarts: 1_000_000,
    out_file: "/dev/null",
    error_file: "/dev/null",
  }));
  const file = join(dir, "pm2.json");
  writeFileSync(file, JSON.stringify({ apps }));
  const run = (...args) =>
    execFileSync(process.execPath, [program, ...args], { env, stdio: "ignore" });
  run("start", file);
  return byPid(stamps, "pm2", async () => run("kill"));
}

/** Unpacks Debian's runit into `dir`, where it is not installed; undefined where it cannot be had. */
export async function startRunit(stamps, dir) {
  mkdirSync(dir, { recursive: true });
  let program = "/usr/bin/runsv";
  if (!existsSync(program)) {
    const unpacked = "apt-get download runit && dpkg -x runit_*.deb .";
    if (!tryTo("sh", ["-c", unpacked], dir)) return undefined;
    program = join(dir, "usr/bin/runsv");
  }
  const children = numbers.map((number) => {
    const home = join(dir, `victim-${number}`);
    mkdirSync(home);
    const args = [stamps.path, `runit/${number}`, clock].map((arg) => JSON.stringify(arg));
    const run = `#!/usr/bin/env perl\nBEGIN { @ARGV = (${args}); close(STDOUT) }\n${readFileSync(victim)}`;
    writeFileSync(join(home, "run"), run.replace("#!/usr/bin/env perl", "#!/usr/bin/perl"));
    chmodSync(join(home, "run"), 0o755);
    return spawn(program, [home], { stdio: "ignore" });
  });
  return {
    ...(await byPid(stamps, "runit", () => Promise.all(children.map(end)))),
    // It lets a second pass before it starts again what has not lived for a second.
    minAgeMs: 1_200,
  };
}

async function byPid(stamps, title, stop) {
  const instances = numbers.map((number) => `${title}/${number}`);
  for (const name of instances) await stamps.after(name, 0n, readyMs);
  return { title, instances, minAgeMs: 700, kill: (name) => killByPid(stamps, name), stop };
}

function tryTo(program, args, cwd) {
  try {
    execFileSync(program, args, { cwd, stdio: "ignore", timeout: 120_000 });
    return true;
  } catch {
    return false;
  }
}

function lineOf(child, text) {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
      if (output.includes(text)) resolve();
    });
    child.once("exit", (code) => reject(new Error(`it ended with code ${code}: ${output}`)));
  });
}

function end(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", resolve);
    child.kill("SIGTERM");
  });
}
