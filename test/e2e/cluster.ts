import { type ChildProcess, spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ClusterStatus, EventEntry } from "@halon/protocol";

/** Whether what takes long, and is held by something else too, runs as well. */
export const isLong = process.env["HALON_E2E_LONG"] !== undefined;

/** The top of the repository, with a slash at its end. */
export const root = fileURLToPath(new URL("../../", import.meta.url));
const halondPath = join(root, "packages/cli/bin/halond.js");
const halonctlPath = join(root, "packages/cli/bin/halonctl.js");

/** Where the nodes of this process listen: another address than those of a file beside it, so that they share no port. */
export const host = `127.${1 + ((process.pid >> 8) & 127)}.${process.pid & 255}.5`;

/** Ports of that address that were free a moment ago; all are held at once, so that they differ. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, host, resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export type ServiceStatus = ClusterStatus["services"][number];

/** How a command ended. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that was started and goes on. */
export interface Program {
  readonly pid: number;
  /** Everything that it has written so far. */
  output(): string;
  readonly ended: Promise<Outcome>;
  signal(signal: NodeJS.Signals): void;
}

/** A node that is ready. */
export interface Node extends Program {
  readonly endpoint: string;
  readonly dataDir: string;
}

const directories: string[] = [];

/** A directory that `cleanUp` removes, together with every process that belongs to it. */
export function temporaryDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "halon-e2e-")));
  directories.push(directory);
  return directory;
}

/** For `afterEach`: kills what still runs, whatever became of the test. */
export async function cleanUp(): Promise<void> {
  for (const directory of directories.splice(0)) {
    await waitFor(`the processes of ${directory} to be gone`, () => {
      const left = processesOf(directory);
      for (const { pid } of left) kill(pid, "SIGKILL");
      return left.length === 0;
    });
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Writes files into the directory and lets them import `@halon/*`; gives the path of the first. */
export function project(directory: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(directory, { recursive: true });
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return join(directory, Object.keys(files)[0] ?? "");
}

interface Surroundings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program of Node; its output is collected. */
export function start(args: readonly string[], { cwd, env }: Surroundings = {}): Program {
  const child = spawn(process.execPath, args, {
    cwd: cwd ?? tmpdir(),
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return follow(child);
}

/** Nobody here sends these: what ends by one has crashed. */
const crashSignals = new Set(["SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGTRAP"]);

/** What ended as nobody wanted: its last words are all that is left of it. */
function tellEnd(how: string, output: string): void {
  process.stderr.write(`a program ended by ${how}, after:\n${output.slice(-4_000)}\n`);
}

export function follow(child: ChildProcess): Program {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (signal !== null && crashSignals.has(signal)) tellEnd(signal, stdout + stderr);
      resolve({ code, stdout, stderr });
    });
  });
  return {
    pid: child.pid ?? 0,
    output: () => stdout + stderr,
    ended,
    signal: (signal) => void child.kill(signal),
  };
}

/** Runs a program to its end; one that does not end is killed and fails the test. */
export async function run(
  args: readonly string[],
  options: Surroundings & { readonly deadlineMs?: number } = {},
): Promise<Outcome> {
  const { deadlineMs = 30_000 } = options;
  const program = start(args, options);
  const late = setTimeout(() => program.signal("SIGKILL"), deadlineMs);
  const outcome = await program.ended;
  clearTimeout(late);
  if (outcome.code === null) {
    throw new Error(
      `${args.join(" ")} did not end within ${deadlineMs} ms: ${outcome.stdout}${outcome.stderr}`,
    );
  }
  return outcome;
}

/** Runs `halond` to its end: for starts that are refused. */
export function halond(...args: readonly string[]): Promise<Outcome> {
  return run([halondPath, ...args]);
}

/** Runs `halonctl` against a node. */
export function halonctl(endpoint: string, ...args: readonly string[]): Promise<Outcome> {
  return run([halonctlPath, ...args], {
    env: { HALON_ENDPOINT: endpoint },
    deadlineMs: 90_000,
  });
}

/** Runs `halonctl` and expects success; gives its standard output. */
export async function ctl(endpoint: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await halonctl(endpoint, ...args);
  if (code !== 0) throw new Error(`halonctl ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

/** `HALON_E2E_STORE=etcd://HOST:PORT` keeps the decision log of every cluster there, each below a prefix of its own. */
function storeOf(dataDir: string): readonly string[] {
  const url = process.env["HALON_E2E_STORE"];
  return url === undefined ? [] : ["--store", `${url}/${dataDir.slice(1).replaceAll("/", "-")}`];
}

/** Starts one node on a free port, alone unless it is told to join others, and waits until it is ready. */
export async function startNode(
  dataDir: string,
  args: readonly string[] = [],
  surroundings: Surroundings = {},
): Promise<Node> {
  const size = args.includes("--join") ? [] : ["--agency-size", "1", ...storeOf(dataDir)];
  const program = start(
    [halondPath, "start", "--data-dir", dataDir, "--listen", `${host}:0`, ...size, ...args],
    surroundings,
  );
  const endpoint = await line(program, /^halond ready .*\bendpoint=(\S+)/m);
  void program.ended.then(({ code, stdout, stderr }) => {
    if (code !== null && code !== 0) tellEnd(`exit code ${code}`, stdout + stderr);
  });
  return { ...program, endpoint, dataDir };
}

/** Starts several nodes under one launcher and waits until the cluster is ready. */
export async function startCluster(
  dataDir: string,
  { launcher = halondPath, listen = `${host}:0`, args = [] as readonly string[] } = {},
): Promise<Node> {
  const first = launcher === halondPath ? ["start", "--local", "3"] : [];
  const program = start([
    launcher,
    ...first,
    ...["--data-dir", dataDir, "--listen", listen, ...storeOf(dataDir)],
    ...args,
  ]);
  const endpoint = await line(program, /^cluster ready endpoint=(\S+)/m, 60_000);
  // The launcher goes on without what it could not apply; no suite wants that.
  const failure = /^halond: HAL_.*/m.exec(program.output());
  if (failure !== null) throw new Error(failure[0]);
  return { ...program, endpoint, dataDir };
}

/** Waits for a line of output; gives its first group. An early end of the program fails the test. */
export async function line(
  program: Program,
  pattern: RegExp,
  deadlineMs = 45_000,
): Promise<string> {
  let hasEnded = false;
  void program.ended.then(() => {
    hasEnded = true;
  });
  const match = await waitFor(
    `a line ${pattern}`,
    () => pattern.exec(program.output()) ?? (hasEnded ? "ended" : undefined),
    deadlineMs,
  );
  if (match === "ended") throw new Error(`the program ended: ${program.output()}`);
  return match[1] ?? match[0];
}

/** Asks again and again, until the answer is neither undefined nor false. An error of the last try is told. */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  deadlineMs = 45_000,
): Promise<Exclude<T, undefined | false>> {
  const end = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`waited ${deadlineMs} ms for ${what}; last: ${String(last)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export async function status(endpoint: string): Promise<ClusterStatus> {
  const response = await fetch(`${endpoint}/v1/status`, { signal: AbortSignal.timeout(2_000) });
  return ClusterStatus.parse(await response.json());
}

/** What runs for people: the status also has the parts of Halon itself. */
export function ownServices({ services }: ClusterStatus): ClusterStatus["services"] {
  return services.filter(({ service }) => !service.startsWith("halon-"));
}

/** The instance of a service that the test means: the only one, or the one on a node. */
export async function service(
  endpoint: string,
  name: string,
  node?: string,
): Promise<ServiceStatus | undefined> {
  const { services } = await status(endpoint);
  return services.find((row) => row.service === name && (node === undefined || row.node === node));
}

/** Waits until a service is in a state; gives its status. */
export function waitForState(
  endpoint: string,
  name: string,
  state: ServiceStatus["state"],
  options: { readonly node?: string; readonly deadlineMs?: number } = {},
): Promise<ServiceStatus> {
  const probe = async () => {
    const found = await service(endpoint, name, options.node);
    if (found?.state === state) return found;
    throw new Error(JSON.stringify(found));
  };
  return waitFor(`${name} to be ${state}`, probe, options.deadlineMs);
}

/** The last 1,000 events of the log. */
export async function events(endpoint: string, type?: string): Promise<readonly EventEntry[]> {
  const filter = type === undefined ? "" : `&type=${type}`;
  const response = await fetch(`${endpoint}/v1/events?limit=1000${filter}`);
  return EventEntry.array().parse(await response.json());
}

/** Asks for something to be done with a service, and waits for its end. */
export async function act(endpoint: string, name: string, action: string): Promise<void> {
  const url = `${endpoint}/v1/services/${name}/${action}?wait=true`;
  const response = await fetch(url, { method: "POST" });
  const { state, reason } = (await response.json()) as { state?: string; reason?: string };
  if (state !== "done") throw new Error(`${action} ${name}: ${response.status} ${state} ${reason}`);
}

/** A field of an event's data. */
export function field(entry: EventEntry, name: string): unknown {
  return (entry.data as Readonly<Record<string, unknown>> | null)?.[name];
}

export interface OsProcess {
  readonly pid: number;
  readonly command: string;
  /** The services directory whose mark it bears. */
  readonly home: string | undefined;
}

/** Every process that was started with the directory, or bears the mark of one in it. */
export function processesOf(directory: string): readonly OsProcess[] {
  const inside = (path: string) => path === directory || path.startsWith(`${directory}/`);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => readProcess(Number(name)) ?? [])
    .filter(
      ({ command, home }) =>
        command.split(/[\0=]/).some(inside) || (home !== undefined && inside(home)),
    );
}

function readProcess(pid: number): OsProcess | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    // A zombie has no command line any more; its parent will take note of it.
    if (command === "") return undefined;
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    const home = environment.find((text) => text.startsWith("HALON_HOME="))?.slice(11);
    return { pid, command, home };
  } catch {
    // It has ended, or belongs to somebody else.
    return undefined;
  }
}

/** The pid of the `halond` of a data directory. */
export function halondOf(dataDir: string): number {
  const found = processesOf(dataDir).find(
    ({ command, home }) => home === undefined && command.includes("halond.js"),
  );
  if (found === undefined) throw new Error(`no halond of ${dataDir} runs`);
  return found.pid;
}

export function isRunning(pid: number): boolean {
  return readProcess(pid) !== undefined;
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
