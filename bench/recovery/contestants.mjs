// Who brings the dead back: each starts three instances, and says how to kill one.
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const instanceCount = 3;
const readyMs = 60_000;
const sendMs = 10_000;
const here = fileURLToPath(new URL(".", import.meta.url));
/** The program that is killed. */
export const victim = join(here, "victim.pl");
const ownRoot = fileURLToPath(new URL("../..", import.meta.url));
/** Number of the system call clock_gettime. */
export const clock = String({ x64: 228, arm64: 113 }[process.arch] ?? 228);
/** One for each instance. */
export const numbers = Array.from({ length: instanceCount }, (_, at) => at);

/** Kills (or stops) the process that stamped last under this name; gives the time of that. */
function killByPid(stamps, name, signal = "SIGKILL") {
  const pid = stamps.pid(name);
  const diedAt = process.hrtime.bigint();
  process.kill(pid, signal);
  return diedAt;
}

/** A contestant that cannot run on this machine; its row has the reason. */
export class NotHere extends Error {}

/** Services of Halon: of each the file, what its row is called, and the message that ends a worker, with what it stamps then. */
const services = [
  { name: "victim", label: "", title: "" },
  { name: "crasher", label: "-own", title: ", own thread", message: "crash", stamp: "death" },
  {
    name: "crasher-shared",
    label: "-shared",
    title: ", shared thread",
    message: "crash",
    stamp: "death",
  },
  {
    name: "stopped",
    label: "-stopped",
    title: ", process stopped",
    isHang: true,
    deadlineMs: 1_000,
  },
  {
    name: "spinner",
    label: "-spinner",
    title: ", worker spins",
    isHang: true,
    deadlineMs: 1_000,
    message: "spin",
    stamp: "hang",
  },
];

/** Three nodes with one instance of each service, so many of them tracking nodes; each service is a contestant. */
export async function startHalon(
  stamps,
  dir,
  { label = "halon", root = ownRoot, tracking = 3 } = {},
) {
  mkdirSync(dir, { recursive: true });
  const trace = join(dir, "trace");
  const file = join(dir, "cluster.json");
  const deployed = services.map(({ name, label: suffix, message }) => ({
    type: join(here, `${name}.service.ts`),
    on: "every-node",
    config: {
      stamps: stamps.path,
      label: `${label}${suffix}`,
      ...(message === undefined ? { clock } : {}),
    },
  }));
  writeFileSync(file, JSON.stringify({ services: deployed }));
  const child = spawn(
    process.execPath,
    [
      join(root, "packages/cli/bin/halond.js"),
      ...["start", "--local", String(instanceCount), "--data-dir", join(dir, "data")],
      ...["--listen", "127.0.0.1:0", "--log.level", "error", "--apply", file],
      ...["--agency-size", String(tracking)],
    ],
    { env: { ...process.env, HALON_TRACE: trace }, stdio: ["ignore", "pipe", "inherit"] },
  );
  const said = await lineOf(child, "cluster ready");
  const [, endpoint] = /cluster ready endpoint=(\S+)/.exec(said);
  const stop = () => end(child);
  const nodes = numbers.map((number) => `node-${number + 1}`);
  return services.map(({ name, label: suffix, title, message, stamp, ...rest }) => ({
    ...rest,
    trace,
    stop,
    minAgeMs: 700,
    title: `${label}${title}`,
    service: name,
    instances: nodes.map((node) => `${label}${suffix}/${node}`),
    kill: (instance) =>
      message === undefined
        ? killByPid(stamps, instance, rest.isHang ? "SIGSTOP" : "SIGKILL")
        : send({ endpoint, stamps, service: name, message, stamp, instance }),
  }));
}

/** Sends the message that ends a worker or makes it hang; gives the time that it stamped just before. */
async function send({ endpoint, stamps, service, message, stamp, instance }) {
  const asked = process.hrtime.bigint();
  const answer = await fetch(`${endpoint}/v1/services/${service}/send`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ on: instance.split("/").at(-1), message }),
    signal: AbortSignal.timeout(sendMs),
  });
  const said = await answer.text();
  const stamped = await stamps
    .after(`${stamp}/${instance}`, asked, answer.ok ? sendMs : 0)
    .catch(() => undefined);
  if (stamped === undefined) throw new Error(`${message} to ${instance}: ${answer.status} ${said}`);
  return stamped;
}

/** The plain loop. */
export async function startFloor(stamps) {
  const child = spawn(
    process.execPath,
    [join(here, "floor.mjs"), stamps.path, clock, String(instanceCount)],
    { stdio: "inherit" },
  );
  return byPid(stamps, { name: "floor", stop: () => end(child) });
}

/** Installs pm2 into `dir` and runs it with a home of its own. */
export async function startPm2(stamps, dir) {
  const program = join(dir, "node_modules/pm2/bin/pm2");
  mkdirSync(dir, { recursive: true });
  if (!tryTo("npm", ["install", "--prefix", dir, "--no-audit", "--no-fund", "pm2@7.0.4"]))
    throw new NotHere("it could not be installed");
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
  return byPid(stamps, { name: "pm2", stop: async () => run("kill") });
}

/** Unpacks Debian's runit into `dir`, where it is not installed. */
export async function startRunit(stamps, dir) {
  mkdirSync(dir, { recursive: true });
  let program = "/usr/bin/runsv";
  if (!existsSync(program)) {
    const unpacked = "apt-get download runit && dpkg -x runit_*.deb .";
    if (!tryTo("sh", ["-c", unpacked], dir)) throw new NotHere("it could not be unpacked");
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
    ...(await byPid(stamps, { name: "runit", stop: () => Promise.all(children.map(end)) })),
    // It lets a second pass before it starts again what has not lived for a second.
    minAgeMs: 1_200,
  };
}

/** Debian's supervisor, where it is installed, with a configuration of its own. */
export async function startSupervisord(stamps, dir) {
  const program = "/usr/bin/supervisord";
  if (!existsSync(program)) throw new NotHere(`no ${program} (Debian's \`supervisor\`)`);
  mkdirSync(dir, { recursive: true });
  const file = join(dir, "supervisord.conf");
  const output = ["stdout_logfile=/dev/null", "stderr_logfile=/dev/null"];
  const programs = numbers.flatMap((number) => [
    `[program:victim-${number}]`,
    `command=perl ${victim} ${stamps.path} supervisord/${number} ${clock}`,
    ...["autorestart=true", "startsecs=0", "startretries=1000000", ...output],
  ]);
  const own = ["nodaemon=true", "logfile=/dev/null", "logfile_maxbytes=0", `pidfile=${dir}/pid`];
  const text = ["[supervisord]", ...own, ...programs].join("\n");
  writeFileSync(file, `${text}\n`);
  const child = spawn(program, ["-n", "-c", file], { cwd: dir, stdio: "ignore" });
  return byPid(stamps, { name: "supervisord", stop: () => end(child) });
}

/** A contestant whose instances are killed by the pid that they stamped, once all of them have. */
export async function byPid(stamps, { name, title = name, stop }) {
  const instances = numbers.map((number) => `${name}/${number}`);
  try {
    for (const instance of instances) await stamps.after(instance, 0n, readyMs);
  } catch (error) {
    await stop();
    throw error;
  }
  return { title, instances, minAgeMs: 700, kill: (each) => killByPid(stamps, each), stop };
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
      if (output.includes(text) && output.endsWith("\n")) resolve(output);
    });
    child.once("exit", (code) => reject(new Error(`it ended with code ${code}: ${output}`)));
  });
}

/** Ends a child and waits until it has. */
export function end(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", resolve);
    child.kill("SIGTERM");
  });
}
