// Child processes and what the kernel says of them; whatever still runs is killed when this process ends.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const running = new Set();
const loadProgram = fileURLToPath(new URL("load.mjs", import.meta.url));

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** Starts a program; its output is dropped unless `stdio` says otherwise. */
export function start(program, args, stdio = ["ignore", "ignore", "ignore"], env = process.env) {
  const child = spawn(program, args, { stdio, env });
  running.add(child);
  child.on("exit", () => running.delete(child));
  return child;
}

/** Ends it, and resolves when it is gone. */
export function kill(child, signal = "SIGKILL") {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", resolve);
    child.kill(signal);
  });
}

/** The first line that it prints. */
export function firstLine(child) {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("close", (code) =>
      reject(new Error(`${child.spawnargs.join(" ")} ended (${code})`)),
    );
  });
}

/** Rejects when one of them ends before the promise is settled. */
export function whileRunning(children, promise) {
  const ends = children.map(
    (child) =>
      new Promise((_, reject) => {
        const program = child.spawnargs.join(" ");
        child.once("exit", (code) => reject(new Error(`${program} ended (${code})`)));
      }),
  );
  return Promise.race([promise, ...ends]);
}

/** Ports that were free a moment ago. */
export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
    }),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Resident memory in MB (10^6 bytes). */
export function residentMb(pid) {
  const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return (Number(found?.[1]) * 1024) / 1e6;
}

/** Milliseconds of CPU that a process has used; the kernel counts in steps of 10 ms. */
export function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Runs a job of load.mjs in a process of its own. */
export async function load(job) {
  const child = start(
    process.execPath,
    [loadProgram, JSON.stringify(job)],
    ["ignore", "pipe", "inherit"],
  );
  return JSON.parse(await firstLine(child));
}

/** Tries until `attempt` gives something other than undefined. */
export async function until(what, attempt, timeoutMs = 30_000, everyMs = 50) {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const found = await attempt().catch(() => undefined);
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`no ${what} within ${timeoutMs} ms`);
    await pause(everyMs);
  }
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
