import { execFileSync } from "node:child_process";

/** Each machine has this port to itself. */
const port = 8528;

/**
 * Machines that can be cut off: a network namespace each, and a router between them and this process.
 *
 * A cut is silent, packets go nowhere; this process reaches every machine all the same. Needs root. `close` removes all.
 */
export class Machines {
  readonly #run = `halon-e2e-${process.pid}`;
  /** Beside other runs on this machine, which have other numbers. */
  readonly #net = `10.${100 + (process.pid % 100)}`;
  readonly #uplink = `halon${process.pid}`;
  readonly #names: readonly string[];
  #isolated: ReadonlySet<string> = new Set();

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** Throws where namespaces cannot be made. */
  open(): void {
    const router = this.#run;
    ip("netns", "add", router);
    ip("-n", router, "link", "set", "lo", "up");
    // From here to the router, so that requests of the tests pass whatever is cut.
    ip("link", "add", this.#uplink, "type", "veth", "peer", "name", "up0", "netns", router);
    ip("addr", "add", `${this.#net}.0.1/24`, "dev", this.#uplink);
    ip("link", "set", this.#uplink, "up");
    ip("-n", router, "addr", "add", `${this.#net}.0.2/24`, "dev", "up0");
    ip("-n", router, "link", "set", "up0", "up");
    ip("route", "add", `${this.#net}.0.0/16`, "via", `${this.#net}.0.2`);
    ip("netns", "exec", router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    for (const [at, name] of this.#names.entries()) {
      const [inner, gateway] = [this.#namespaceOf(name), `${this.#net}.${at + 1}.1`];
      ip("netns", "add", inner);
      ip("-n", inner, "link", "set", "lo", "up");
      const peer = ["type", "veth", "peer", "name", "eth0", "netns", inner];
      ip("-n", router, "link", "add", `m${at}`, ...peer);
      ip("-n", router, "addr", "add", `${gateway}/24`, "dev", `m${at}`);
      ip("-n", router, "link", "set", `m${at}`, "up");
      ip("-n", inner, "addr", "add", `${this.#hostOf(name)}/24`, "dev", "eth0");
      ip("-n", inner, "link", "set", "eth0", "up");
      ip("-n", inner, "route", "add", "default", "via", gateway);
    }
  }

  close(): void {
    // The link goes with its namespace too, only later than a next run may want the name.
    remove("link", "del", this.#uplink);
    remove("netns", "del", this.#run);
    for (const name of this.#names) remove("netns", "del", this.#namespaceOf(name));
  }

  addressOf(name: string): string {
    return `${this.#hostOf(name)}:${port}`;
  }

  /** The command that runs a program on a machine; the program keeps the process id. */
  command(name: string, words: readonly string[]): readonly [string, readonly string[]] {
    return ["ip", ["netns", "exec", this.#namespaceOf(name), ...words]];
  }

  /** From now on exactly these are cut off, from every other machine in both directions. */
  isolate(isolated: ReadonlySet<string>): void {
    for (const from of this.#names) {
      for (const to of this.#names) {
        if (from === to) continue;
        const wasCut = this.#isolated.has(from) || this.#isolated.has(to);
        const isCut = isolated.has(from) || isolated.has(to);
        const rule = ["from", this.#hostOf(from), "to", this.#hostOf(to), "blackhole"];
        if (wasCut !== isCut) ip("-n", this.#run, "rule", isCut ? "add" : "del", ...rule);
      }
    }
    this.#isolated = new Set(isolated);
  }

  #hostOf(name: string): string {
    return `${this.#net}.${this.#names.indexOf(name) + 1}.2`;
  }

  #namespaceOf(name: string): string {
    return `${this.#run}-${name}`;
  }
}

/** Whether this process may make namespaces and cut links in them. */
export function namespacesAreThere(): boolean {
  if (process.getuid?.() !== 0) return false;
  const trial = new Machines(["a", "b"]);
  try {
    trial.open();
    trial.isolate(new Set(["a"]));
    return true;
  } catch {
    return false;
  } finally {
    trial.close();
  }
}

function remove(...args: readonly string[]): void {
  try {
    ip(...args);
  } catch {
    // It was not made.
  }
}

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}
