import { hostname } from "node:os";
import type { JsonObject } from "@halon/protocol";
import type { OwnHello } from "./links.ts";
import type { NodeOptions } from "./options.ts";
import { loadSetup, type Setup, saveSetup } from "./setup.ts";
import { version } from "./version.ts";

/** Who this node is, kept in `setup.json`. */
export class Identity {
  readonly role: "tracking" | "satellite";
  readonly #options: NodeOptions;
  readonly #dataDir: string;
  #setup: Setup;
  /** The real port, once it is listened on. */
  port: number;

  constructor(options: NodeOptions, dataDir: string) {
    this.#options = options;
    this.#dataDir = dataDir;
    this.role = options.join.length === 0 ? "tracking" : "satellite";
    this.port = options.listen.port;
    this.#setup = loadSetup(dataDir, { name: options.name, role: this.role, now: Date.now() });
  }

  get name(): string {
    return this.#options.name;
  }

  get incarnation(): number {
    return this.#setup.incarnation;
  }

  /** Empty until a satellite has joined. */
  get clusterId(): string {
    return this.#setup.clusterId ?? "";
  }

  /** `host:port` of the tracking node, as last known. */
  get knownLeader(): string | null {
    return this.#setup.leader;
  }

  /** `host:port` at which others reach this node. */
  get endpoint(): string {
    return this.#options.advertise ?? `${this.#options.listen.host}:${this.port}`;
  }

  hello(): OwnHello {
    const { clusterId, name, incarnation } = this.#setup;
    return { protocol: 1, cluster: clusterId, node: name, incarnation, address: this.endpoint };
  }

  /** Data of NodeJoined. */
  describe(): JsonObject {
    return {
      node: this.name,
      address: this.endpoint,
      hostname: hostname(),
      role: this.role,
      incarnation: this.incarnation,
      labels: this.#options.labels,
      version,
    };
  }

  /** Keeps what was learned at joining for the next start. */
  remember(changes: { readonly clusterId: string; readonly leader: string }): void {
    const next = { ...this.#setup, ...changes };
    if (next.clusterId === this.#setup.clusterId && next.leader === this.#setup.leader) return;
    saveSetup(this.#dataDir, next);
    this.#setup = next;
  }
}
