import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { BeatTarget } from "./thread-wire.ts";

/** Names are looked up again so often: a node may have come back with another address. */
const lookupEveryMs = 10_000;

/** Turns `host:port` into what a socket sends to: names are looked up, and again while they are targets. */
export class Targets {
  readonly #isV6: boolean;
  readonly #found: (targets: readonly BeatTarget[]) => void;
  readonly #addresses = new Map<string, string>();
  #hostPorts: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `listenHost` says of which family the socket is; `found` is told of every change. */
  constructor(listenHost: string, found: (targets: readonly BeatTarget[]) => void) {
    this.#isV6 = listenHost.includes(":");
    this.#found = found;
  }

  set(hostPorts: readonly string[]): void {
    this.#hostPorts = hostPorts;
    this.#tell();
    void this.#lookUp();
  }

  close(): void {
    this.#hostPorts = [];
    clearTimeout(this.#timer);
  }

  #tell(): void {
    this.#found(
      this.#hostPorts.flatMap((hostPort) => {
        const { host, port } = split(hostPort);
        const address = this.#inFamily(isIP(host) === 0 ? this.#addresses.get(host) : host);
        return address === undefined ? [] : [{ address, port }];
      }),
    );
  }

  async #lookUp(): Promise<void> {
    clearTimeout(this.#timer);
    const names = new Set(
      this.#hostPorts.map((one) => split(one).host).filter((one) => !isIP(one)),
    );
    if (names.size === 0) return;
    this.#timer = setTimeout(() => void this.#lookUp(), lookupEveryMs);
    this.#timer.unref();
    await Promise.all([...names].map((name) => this.#lookUpOne(name)));
    this.#tell();
  }

  async #lookUpOne(name: string): Promise<void> {
    try {
      const { address } = await lookup(name, this.#isV6 ? {} : { family: 4 });
      this.#addresses.set(name, address);
    } catch {
      // It keeps the address that it had, and is looked up again.
    }
  }

  /** A socket for IPv6 reaches IPv4 by its mapped form; one for IPv4 reaches no IPv6. */
  #inFamily(address: string | undefined): string | undefined {
    if (address === undefined) return undefined;
    const family = isIP(address);
    if (this.#isV6) return family === 4 ? `::ffff:${address}` : address;
    return family === 4 ? address : undefined;
  }
}

/** `host:port`; an IPv6 address loses its brackets. */
function split(hostPort: string): { readonly host: string; readonly port: number } {
  const colon = hostPort.lastIndexOf(":");
  const host = hostPort.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(hostPort.slice(colon + 1)) };
}
