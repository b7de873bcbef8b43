import { randomUUID } from "node:crypto";
import type { HelloAnswer } from "@halon/api";
import { isLoopback } from "@halon/api/listen";
import {
  type ClusterConfig,
  HalonError,
  type HelloRequest,
  helloProtocol,
  toErrorData,
} from "@halon/protocol";
import { masterConfig, takeHello } from "../core/bootstrap.ts";
import { smallestAddress } from "../core/bootstrap-relaunch.ts";
import {
  addressOf,
  type CompleteSetup,
  isComplete,
  isMaster,
  type Setup,
  withConfig,
} from "../core/bootstrap-setup.ts";
import { masterText } from "../core/bootstrap-text.ts";
import { askId } from "./ask.ts";
import { join } from "./join.ts";
import { answerLate, answerOf } from "./late.ts";
import { pause } from "./pause.ts";
import type { BootstrapRoutes } from "./routes.ts";
import { saveSetup } from "./setup-file.ts";
import { Speaker } from "./speaker.ts";

const standardPace = { askEveryMs: 1_000, sayEveryMs: 10_000 };

export interface BootstrapOptions {
  /** Absolute, and this process's alone. */
  readonly dataDir: string;
  /** From `loadSetup`, with the port that is listened on (`listensAt`). */
  readonly setup: Setup;
  /** Called before anything is asked of others: from then on these routes are to be answered. */
  hear(routes: BootstrapRoutes): void;
  /** Says lines to the person at the terminal: what is waited for, at once and every 10 s. */
  print(text: string): void;
  /** Aborted: rejects with the signal's reason. */
  readonly signal: AbortSignal;
  readonly pace?: typeof standardPace;
}

/**
 * Finds the other nodes, until the configuration is complete and on this node's disk (rfc/0007).
 *
 * A setup that is complete comes back at once; nobody is asked. Errors: HAL_CONFLICT and what another node
 * answered.
 */
export async function bootstrap(options: BootstrapOptions): Promise<CompleteSetup> {
  const { setup, signal } = options;
  if (isComplete(setup)) return setup;
  signal.throwIfAborted();
  const beginning = new Beginning(options);
  try {
    options.hear(beginning);
    return await beginning.run();
  } finally {
    beginning.close();
  }
}

/** What a node is while its cluster begins. */
type Part =
  | { readonly type: "undecided" }
  | { readonly type: "joiner"; readonly master: string }
  | {
      readonly type: "master";
      readonly config: ClusterConfig;
      readonly dataDirs: Map<string, string>;
      /** Rejects when the disk refuses the configuration. */
      readonly completed: (outcome: CompleteSetup | Promise<never>) => void;
    };

class Beginning implements BootstrapRoutes {
  readonly #options: BootstrapOptions;
  readonly #speaker: Speaker;
  readonly #pace: typeof standardPace;
  #setup: Setup;
  #part: Part = { type: "undecided" };

  constructor(options: BootstrapOptions) {
    this.#options = options;
    this.#setup = options.setup;
    this.#pace = options.pace ?? standardPace;
    this.#speaker = new Speaker((text) => options.print(text), this.#pace.sayEveryMs);
  }

  async run(): Promise<CompleteSetup> {
    const master = isMaster(this.#setup) ? null : await this.#findMaster();
    if (master === null) return this.#lead();
    this.#part = { type: "joiner", master };
    // The id must be on disk before another node knows it: it could never come back under a second one.
    this.#keep(this.#setup);
    return join({
      addresses: [master, ...this.#setup.join.filter((address) => address !== master)],
      setup: () => this.#setup,
      keep: (setup) => this.#keep(setup),
      request: () => this.#request(),
      speaker: this.#speaker,
      askEveryMs: this.#pace.askEveryMs,
      signal: this.#options.signal,
    });
  }

  close(): void {
    this.#speaker.close();
  }

  id() {
    const { id, name, clusterId } = this.#setup;
    return { id, name, clusterId };
  }

  waitsFor(): string {
    return this.#speaker.text.split("\n")[0] ?? "";
  }

  async hello(request: HelloRequest | undefined): Promise<HelloAnswer> {
    const setup = this.#setup;
    if (isComplete(setup))
      return answerLate({ setup, leader: () => null, nodes: () => [] }, request);
    const part = this.#part;
    if (part.type === "master") return this.#welcome(part, request);
    if (request?.id === setup.id) throw this.#isItself();
    if (part.type === "joiner") return { type: "redirect", address: part.master };
    const message = `${setup.name} has not found the master yet. Try again in a second.`;
    throw new HalonError("HAL_NO_LEADER", message);
  }

  /** Why this node does not answer its own hello. In a list it may stand under a name that it does not know as its own. */
  #isItself(): HalonError {
    const { join: addresses, name } = this.#setup;
    if (addresses.length > 1) return new HalonError("HAL_NO_LEADER", `${name} is asked by itself.`);
    return new HalonError(
      "HAL_CONFLICT",
      `The address to join, ${addresses[0]}, is this node itself. Name another node with --join, or leave it out to make this one the master.`,
    );
  }

  /** Address of the master; null: it is this node. */
  async #findMaster(): Promise<string | null> {
    const { join: addresses, id } = this.#setup;
    if (addresses.length === 0) return null;
    const first = smallestAddress(addresses);
    if (addresses.length === 1) return first;
    const others = addresses.filter((address) => address !== first);
    const { signal } = this.#options;
    for (;;) {
      const found = await askId(first, signal);
      if (found !== undefined && found.id !== id) return first;
      // One that lost its disk must not begin a second cluster beside the one that its list belongs to.
      const running = await firstRunning(others, signal);
      if (running !== undefined) return running;
      if (found !== undefined) return null;
      this.#speaker.waitFor("master", `waiting for the master at ${first}, which does not answer.`);
      await pause(this.#pace.askEveryMs, signal);
    }
  }

  #lead(): Promise<CompleteSetup> {
    const { signal } = this.#options;
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      const config = masterConfig(this.#setup, randomUUID());
      this.#decide(config, new Map(), resolve);
    });
  }

  /** Writes the configuration, and only then makes it known. */
  #decide(
    config: ClusterConfig,
    dataDirs: Map<string, string>,
    completed: (outcome: CompleteSetup | Promise<never>) => void,
  ): void {
    this.#keep(withConfig(this.#setup, config));
    this.#part = { type: "master", config, dataDirs, completed };
    if (isComplete(this.#setup)) {
      completed(this.#setup);
      return;
    }
    const text = masterText(this.#setup, config, isLoopback(this.#setup.listen.host));
    this.#speaker.waitFor(`${config.peers.length}`, text);
  }

  #welcome(part: Part & { type: "master" }, request: HelloRequest | undefined): HelloAnswer {
    const { config, dataDirs, completed } = part;
    if (request === undefined) return { type: "config", config };
    const verdict = takeHello(config, dataDirs, request);
    if (verdict.type === "refused") return answerOf(verdict);
    if (verdict.config === config) {
      dataDirs.set(request.id, request.dataDir);
      return verdict;
    }
    try {
      this.#decide(verdict.config, dataDirs, completed);
    } catch (error) {
      completed(Promise.reject(error));
      const message = `${this.#setup.name} cannot keep the configuration: ${toErrorData(error).message}`;
      throw new HalonError("HAL_NO_LEADER", message, { cause: error });
    }
    dataDirs.set(request.id, request.dataDir);
    return verdict;
  }

  #request(): HelloRequest {
    const setup = this.#setup;
    const { id, name, clusterId, agencySize, store } = setup;
    const address = addressOf(setup);
    const host = address.slice(0, address.lastIndexOf(":"));
    return {
      id,
      name,
      address,
      dataDir: `${host}:${this.#options.dataDir}`,
      protocol: helloProtocol,
      clusterId,
      // In a cluster of one machine the first nodes are the tracking nodes, whoever is faster.
      agency: setup.local === null || setup.local <= (agencySize ?? 3),
      agencySize,
      store,
    };
  }

  #keep(setup: Setup): void {
    saveSetup(this.#options.dataDir, setup);
    this.#setup = setup;
  }
}

/** The first of the addresses at which a complete cluster runs. */
async function firstRunning(
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const found = await Promise.all(
    addresses.map(async (address) => ({ address, node: await askId(address, signal) })),
  );
  return found.find(({ node }) => node !== undefined && node.role !== null)?.address;
}
