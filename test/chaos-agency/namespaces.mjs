import { execFileSync, spawn } from "node:child_process";

const port = 8531;
const probeMs = 400;
/** Tells the inner process that it runs in the namespace that forwards between those of the members. */
const variable = "HALON_CHAOS_NAMESPACE";

/** A network namespace for each member, and one between them where the harness runs and every packet passes. */
export function namespacesAreThere() {
  if (process.env[variable] !== undefined) return true;
  if (process.getuid?.() !== 0) return false;
  const name = `halon-try-${process.pid}`;
  try {
    ip("netns", "add", name);
    ip("-n", name, "link", "add", "v0", "type", "veth", "peer", "name", "v1");
    ip("-n", name, "rule", "add", "from", "10.1.1.1", "to", "10.1.1.2", "blackhole");
    return true;
  } catch {
    return false;
  } finally {
    deleteNamespaces([name]);
  }
}

/** True in the inner process. */
export function isInside() {
  return process.env[variable] !== undefined;
}

/** Runs this command again inside new namespaces, removes them, and gives its exit code. */
export async function runInside(count) {
  const run = `halon-chaos-${process.pid}`;
  const inner = (at) => `${run}-${at}`;
  const names = [run, ...Array.from({ length: count }, (_, at) => inner(at))];
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  try {
    for (const name of names) {
      ip("netns", "add", name);
      ip("-n", name, "link", "set", "lo", "up");
    }
    for (let at = 0; at < count; at += 1) {
      const to = ["type", "veth", "peer", "name", "eth0", "netns", inner(at)];
      ip("-n", run, "link", "add", `m${at}`, ...to);
      ip("-n", run, "addr", "add", `${gatewayOf(at)}/24`, "dev", `m${at}`);
      ip("-n", run, "link", "set", `m${at}`, "up");
      ip("-n", inner(at), "addr", "add", `${hostOf(at)}/24`, "dev", "eth0");
      ip("-n", inner(at), "link", "set", "eth0", "up");
      ip("-n", inner(at), "route", "add", "default", "via", gatewayOf(at));
    }
    ip("netns", "exec", run, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    const command = [process.execPath, ...process.argv.slice(1)];
    const child = spawn("ip", ["netns", "exec", run, ...command], {
      stdio: "inherit",
      env: { ...process.env, [variable]: run },
    });
    for (const signal of signals) process.on(signal, () => child.kill(signal));
    return await new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 130)));
  } finally {
    deleteNamespaces(names);
  }
}

/** Links between members as the inner process sees them. A cut is silent: packets go nowhere. */
export class Namespaces {
  kind = "network namespaces";
  /** Members listen on an address that is not loopback, though nobody else can reach it. */
  memberArgs = ["--insecure"];
  #cuts = new Set();

  async open() {}

  listenOf(at) {
    return `${hostOf(at)}:${port}`;
  }

  advertiseOf(at) {
    return this.listenOf(at);
  }

  /** Where clients find what a member calls its address. */
  clientAddress(advertised) {
    return advertised;
  }

  /** The command that starts a member's program, which keeps the process id. */
  command(at, args) {
    return ["ip", ["netns", "exec", `${process.env[variable]}-${at}`, ...args]];
  }

  cut(from, to) {
    this.#cuts.add(`${from}>${to}`);
    ip("rule", "add", ...between(from, to));
  }

  heal(from, to) {
    if (this.#cuts.delete(`${from}>${to}`)) ip("rule", "del", ...between(from, to));
  }

  /** Whether a new connection from one member's place to another's gets no answer: what the kernel does, not what was asked. */
  async isSilent(from, to) {
    const shell = `exec 3<>/dev/tcp/${hostOf(to)}/${port}`;
    const [program, args] = this.command(from, [
      ...["timeout", String(probeMs / 1_000), "bash", "-c", shell],
    ]);
    const child = spawn(program, args, { stdio: "ignore" });
    const code = await new Promise((resolve) => child.once("exit", resolve));
    // 124: the time was up. A connection, or a refusal, would have ended sooner.
    return code === 124;
  }

  close() {}
}

function between(from, to) {
  return ["from", hostOf(from), "to", hostOf(to), "blackhole"];
}

function hostOf(at) {
  return `10.97.${at + 1}.2`;
}

function gatewayOf(at) {
  return `10.97.${at + 1}.1`;
}

function ip(...args) {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

function deleteNamespaces(names) {
  for (const name of names) {
    try {
      ip("netns", "del", name);
    } catch {
      // It was not made.
    }
  }
}
