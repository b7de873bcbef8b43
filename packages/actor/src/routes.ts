import { type Address, nodeOf, type Pid, type SystemId, startOf, threadOf } from "./core/pid.ts";
import type { Route } from "./signal.ts";

/** Where a signal goes next. */
export type Hop =
  | { readonly type: "here" }
  | { readonly type: "route"; readonly route: Route }
  | { readonly type: "nowhere"; readonly why: "noproc" | "noconnection" };

const here: Hop = { type: "here" };
const noProcess: Hop = { type: "nowhere", why: "noproc" };
const noConnection: Hop = { type: "nowhere", why: "noconnection" };

/** Which way leads to an address. One per system. */
export class Routes {
  readonly id: SystemId;
  /** Of a worker: everything it does not know goes there. */
  parent: Route | null = null;
  readonly #start: string;
  readonly #threads = new Map<number, Hop>();
  readonly #starts = new Map<string, Hop>();
  readonly #nodes = new Map<string, { readonly start: string; readonly hop: Hop }>();

  constructor(id: SystemId) {
    this.id = id;
    this.#start = `${id.node}/${id.incarnation}/`;
  }

  setThread(thread: number, route: Route): void {
    this.#threads.set(thread, { type: "route", route });
  }

  deleteThread(thread: number): void {
    this.#threads.delete(thread);
  }

  setNode(start: string, route: Route): void {
    const node = nodeOf(start as Pid);
    const hop: Hop = { type: "route", route };
    this.#starts.set(start, hop);
    this.#nodes.set(node, { start, hop });
  }

  deleteNode(start: string): void {
    const node = nodeOf(start as Pid);
    this.#starts.delete(start);
    if (this.#nodes.get(node)?.start === start) this.#nodes.delete(node);
  }

  nodes(): readonly string[] {
    return [...this.#nodes.keys()].sort();
  }

  /** Every direct route. */
  all(): readonly Route[] {
    const hops = [...this.#threads.values(), ...this.#starts.values()];
    return hops.flatMap((hop) => (hop.type === "route" ? [hop.route] : []));
  }

  threads(): readonly Route[] {
    return [...this.#threads.values()].flatMap((hop) => (hop.type === "route" ? [hop.route] : []));
  }

  /** `known`: whether this system has a process of the name. */
  to(address: Address, known: (name: string) => boolean): Hop {
    if (typeof address === "string") return this.#toPid(address);
    if (address.node !== undefined && address.node !== this.id.node)
      return this.#nodes.get(address.node)?.hop ?? this.#up(noConnection);
    return known(address.name) ? here : this.#up(here);
  }

  #toPid(pid: Pid): Hop {
    if (!pid.startsWith(this.#start)) {
      const hop = this.#starts.get(startOf(pid));
      if (hop !== undefined) return hop;
      // A node that is there under another incarnation has lost its earlier processes for good.
      const known = nodeOf(pid) === this.id.node || this.#nodes.has(nodeOf(pid));
      return this.#up(known ? noProcess : noConnection);
    }
    const thread = threadOf(pid);
    if (thread === this.id.thread) return here;
    return this.#threads.get(thread) ?? this.#up(noProcess);
  }

  #up(otherwise: Hop): Hop {
    return this.parent === null ? otherwise : { type: "route", route: this.parent };
  }
}
