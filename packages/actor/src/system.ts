import { HalonError } from "@halon/protocol";
import type { BulkHandler } from "./link/bulk.ts";
import type { Link } from "./link/link.ts";
import { assertPlain } from "./plain.ts";
import { sendQuietly } from "./refusal.ts";
import type { Gone, Route, Signal } from "./signal.ts";
import { SystemCore } from "./system-core.ts";
import type { ActorSystem } from "./system-port.ts";
import { startWorker, type WorkerProcess } from "./thread/host.ts";

/** Who this start of the node is. */
export interface SystemOptions {
  readonly node: string;
  /** Grows with every start of the node. */
  readonly incarnation: number;
}

const whereisMs = 2_000;
/** How long processes and workers may take to end at `close`. */
const closeMs = 2_000;

/** The system of the main thread. */
export function createSystem({ node, incarnation }: SystemOptions): ActorSystem {
  const core = new SystemCore({ node, incarnation, thread: 0 });
  const links = new Links(core);
  const workers = new Map<number, WorkerProcess>();
  let threads = 0;
  return {
    node,
    incarnation,
    events: core.events,
    spawn: (behaviour, options) => core.spawn(behaviour, options),
    spawnInWorker(entry, options = {}) {
      threads += 1;
      const thread = threads;
      const worker = startWorker(core, thread, entry, options, (gone) => links.tell(gone));
      workers.set(thread, worker);
      void worker.exited.then(() => workers.delete(thread));
      return worker;
    },
    send: (to, message) => core.send(to, message),
    call: (to, message, options) => core.call(to, message, options),
    exit: (pid, reason) => core.exit(pid, reason),
    whereis: (name) => core.whereis(name),
    async whereisOn(name, of, { timeoutMs } = { timeoutMs: whereisMs }) {
      return of === node ? core.whereis(name) : core.whereisOn(name, of, timeoutMs);
    },
    isAlive: (pid) => core.isAlive(pid) || [...workers.values()].some((one) => one.pid === pid),
    attach: (link) => links.attach(link),
    nodes: () => core.routes.nodes(),
    serveBulk: (name, handler) => links.serve(name, handler),
    requestBulk: (of, name, args, options) => links.bulkOf(of).request(name, args, options),
    stats: () => core.stats(),
    async close() {
      await endAll(core, [...workers.values()]);
      links.close("the system closes");
    },
  };
}

/** Asks all to end, and kills what has not by the deadline. */
async function endAll(core: SystemCore, workers: readonly WorkerProcess[]): Promise<void> {
  for (const { pid } of workers) core.exit(pid, "shutdown");
  const late = setTimeout(() => {
    for (const { pid } of workers) core.exit(pid, "killed");
    for (const pid of core.pids()) core.exit(pid, "killed");
  }, closeMs);
  for (const pid of core.pids()) core.exit(pid, "shutdown");
  await Promise.all([...workers.map((worker) => worker.exited), core.idle()]);
  clearTimeout(late);
}

/** The links of a system: one of each class per node. */
class Links {
  readonly #core: SystemCore;
  readonly #control = new Map<string, Link>();
  readonly #bulk = new Map<string, Link>();
  readonly #handlers = new Map<string, BulkHandler>();

  constructor(core: SystemCore) {
    this.#core = core;
  }

  attach(link: Link): void {
    const { node } = link.peer;
    const links = link.class === "control" ? this.#control : this.#bulk;
    links.get(node)?.close("a newer connection took its place");
    if (link.downReason !== null) return;
    links.set(node, link);
    link.events.once("down", (reason) => {
      if (links.get(node) === link) links.delete(node);
      if (link.class === "control") this.#lost(link, reason);
    });
    if (link.class === "control") this.#join(link);
    else link.serve(this.#handlers);
  }

  serve(name: string, handler: BulkHandler): void {
    this.#handlers.set(name, handler);
  }

  bulkOf(node: string): Link {
    const link = this.#bulk.get(node);
    if (link === undefined)
      throw new HalonError("HAL_UNREACHABLE", `There is no bulk link to ${node}.`);
    return link;
  }

  tell(gone: Gone): void {
    for (const link of this.#control.values()) sendQuietly(link, gone);
  }

  close(reason: string): void {
    for (const link of [...this.#control.values(), ...this.#bulk.values()]) link.close(reason);
  }

  #join(link: Link): void {
    const start = startOfLink(link);
    this.#core.routes.setNode(start, new LinkRoute(link));
    this.#core.events.emit("nodeUp", link.peer.node);
    link.receive((signal) => {
      // A peer speaks for its own processes only.
      if (signal.type === "gone" && signal.start !== start) return;
      this.#core.receive(signal, "link");
    });
  }

  #lost(link: Link, reason: string): void {
    const start = startOfLink(link);
    this.#core.routes.deleteNode(start);
    this.#core.gone({ type: "gone", start, thread: null, reason: "noconnection" });
    this.#core.events.emit("nodeDown", link.peer.node, reason);
  }
}

function startOfLink(link: Link): string {
  return `${link.peer.node}/${link.peer.incarnation}/`;
}

/** A control link as a route: messages are checked before they are encoded. */
class LinkRoute implements Route {
  readonly #link: Link;

  constructor(link: Link) {
    this.#link = link;
  }

  send(signal: Signal): void {
    if (signal.type === "send" || signal.type === "call") assertPlain(signal.message);
    else if (signal.type === "reply") assertPlain(signal.value, "answer");
    this.#link.send(signal);
  }
}
