import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, createServer } from "node:net";

const host = "127.0.0.1";

/**
 * A relay in front of each member's advertised address, for machines without network namespaces.
 *
 * Which member dialled is told by the kernel's table of sockets, so links are cut by pair and by direction. What is sent over
 * a cut link waits in it, as it would in TCP, and so does the news that an end has closed.
 */
export class Proxies {
  kind = "proxies";
  memberArgs = [];
  #ports;
  #relays = [];
  #links = new Set();
  #cuts = new Set();
  #pidOf;

  /** `ports` has two for each member: its own and the relay's. `pidOf` gives the process of a member. */
  constructor({ ports, pidOf }) {
    this.#ports = ports;
    this.#pidOf = pidOf;
  }

  async open() {
    for (const [to, { relay }] of this.#ports.entries()) {
      const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket, to));
      await new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(relay, host, resolve);
      });
      this.#relays.push(server);
    }
  }

  listenOf(at) {
    return `${host}:${this.#ports[at].own}`;
  }

  advertiseOf(at) {
    return `${host}:${this.#ports[at].relay}`;
  }

  /** Clients go past the relays, so that they can ask a member that its peers cannot reach. */
  clientAddress(advertised) {
    const at = this.#ports.findIndex((_, each) => this.advertiseOf(each) === advertised);
    return at === -1 ? advertised : this.listenOf(at);
  }

  command(_at, [program, ...args]) {
    return [program, args];
  }

  cut(from, to) {
    this.#cuts.add(`${from}>${to}`);
    for (const link of this.#links) link.refresh();
  }

  heal(from, to) {
    this.#cuts.delete(`${from}>${to}`);
    for (const link of this.#links) link.refresh();
  }

  /** Whether something that was sent from one to the other waits in a relay. Peers speak all the time. */
  async isSilent(from, to) {
    return [...this.#links].some((link) => link.holds(from, to));
  }

  close() {
    for (const relay of this.#relays) relay.close();
    for (const link of this.#links) link.end();
  }

  #accept(socket, to) {
    const from = this.#memberOf(socket.remotePort);
    const link = new Link({
      socket,
      from,
      to,
      port: this.#ports[to].own,
      isCut: (a, b) => this.#cuts.has(`${a}>${b}`),
      ended: () => this.#links.delete(link),
    });
    this.#links.add(link);
    link.refresh();
  }

  /** The member whose process has the socket with this local port. */
  #memberOf(port) {
    const hex = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    const row = readFileSync("/proc/net/tcp", "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .find((fields) => fields[1]?.endsWith(hex) && fields[3] === "01" && fields[9] !== "0");
    if (row === undefined) return undefined;
    const wanted = `socket:[${row[9]}]`;
    const at = this.#ports.findIndex((_, each) => socketsOf(this.#pidOf(each)).includes(wanted));
    return at === -1 ? undefined : at;
  }
}

/** One connection and its continuation to the member that was dialled. */
class Link {
  #socket;
  #upstream;
  #options;
  /** Chunks, and `null` for the end, that wait in each direction. */
  #there = [];
  #back = [];

  constructor(options) {
    this.#options = options;
    this.#socket = options.socket;
    this.#watch(this.#socket, this.#there);
  }

  /** Whether something waits to go from one to the other: bytes, or a dial that nobody answers. */
  holds(from, to) {
    const { from: dialler, to: dialled } = this.#options;
    const isThere = from === dialler && to === dialled;
    if (!isThere && !(from === dialled && to === dialler)) return false;
    if (!this.#isCut(from, to)) return false;
    return this.#upstream === undefined || (isThere ? this.#there : this.#back).length > 0;
  }

  /** Lets go what need not wait any more. */
  refresh() {
    const { from, to, port } = this.#options;
    const isOpen = !this.#isCut(from, to);
    if (this.#upstream === undefined && isOpen && !this.#isCut(to, from)) {
      this.#upstream = connect({ port, host, allowHalfOpen: true });
      this.#watch(this.#upstream, this.#back);
    }
    if (this.#upstream === undefined) return;
    if (isOpen) release(this.#there, this.#upstream);
    if (!this.#isCut(to, from)) release(this.#back, this.#socket);
    if (this.#socket.destroyed && this.#upstream.destroyed) this.#options.ended();
  }

  end() {
    this.#socket.destroy();
    this.#upstream?.destroy();
    this.#options.ended();
  }

  #isCut(from, to) {
    return this.#options.isCut(from, to);
  }

  #watch(source, waiting) {
    const add = (chunk) => {
      waiting.push(chunk);
      this.refresh();
    };
    source.setNoDelay(true);
    source.on("data", add);
    source.on("end", () => add("end"));
    source.on("error", () => undefined);
    source.on("close", () => add("close"));
  }
}

function release(waiting, target) {
  for (const chunk of waiting.splice(0)) {
    if (chunk === "close") target.destroy();
    else if (target.destroyed) continue;
    else if (chunk === "end") target.end();
    else target.write(chunk);
  }
}

function socketsOf(pid) {
  if (pid === undefined) return [];
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        // Closed while it was looked at.
        return [];
      }
    });
  } catch {
    return [];
  }
}
