import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import {
  type ActorSystem,
  acceptLink,
  type Hello,
  keepLink,
  type LinkKeeper,
  linkPath,
  linkServerOptions,
} from "@halon/actor";
import { toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import { WebSocketServer } from "ws";
import type { LostLeader } from "./core/index.ts";

/** The same refusal is told again after so long. */
const refusalEveryMs = 10_000;

/** What both sides say of themselves. */
export type OwnHello = Omit<Hello, "class">;

/** Takes node links on the listener. Returns the handler of upgrade requests; false: not one of ours. */
export function acceptLinks(options: {
  readonly system: ActorSystem;
  readonly log: Logger;
  hello(): OwnHello;
  check(peer: Hello): string | null;
}): (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean {
  const server = new WebSocketServer({ noServer: true, ...linkServerOptions });
  return (request, socket, head) => {
    const path = request.url?.split("?")[0];
    if (path !== linkPath) return false;
    server.handleUpgrade(request, socket, head, (ws) => {
      acceptLink(ws, { hello: options.hello(), check: options.check }).then(
        (link) => options.system.attach(link),
        (error) => options.log.warn({ reason: toErrorData(error).message }, "refused a node link"),
      );
    });
    return true;
  };
}

export interface LeaderLinksOptions {
  readonly system: ActorSystem;
  readonly log: Logger;
  hello(): OwnHello;
  /** Commands and events can go to the peer and come from it. */
  up(peer: Hello): void;
  down(): void;
}

/** The control and the bulk link to the node that leads, which move with the leadership. */
export class LeaderLinks {
  readonly #options: LeaderLinksOptions;
  #address: string | null = null;
  #peer: string | undefined;
  #lost: LostLeader | undefined;
  #keepers: readonly LinkKeeper[] = [];
  #refusal = { reason: "", at: 0 };

  constructor(options: LeaderLinksOptions) {
    this.#options = options;
  }

  /** `host:port` that the links go to, open or not. */
  get address(): string | null {
    return this.#address;
  }

  /** Name of the node at the other end while the control link is open. */
  get peer(): string | undefined {
    return this.#peer;
  }

  /** The leader that was lost last, as long as no other was linked to since. */
  get lost(): LostLeader | undefined {
    return this.#lost;
  }

  /** Moves the links there; null: there is nobody to link to. Told the same again, it does not wait to try again. */
  follow(address: string | null): void {
    if (address === this.#address) {
      for (const keeper of this.#keepers) keeper.hurry();
      return;
    }
    this.close("another node leads");
    this.#address = address;
    if (address === null) return;
    this.#lost = undefined;
    this.#keepers = (["bulk", "control"] as const).map((one) => this.#keep(address, one));
  }

  close(reason = "closed"): void {
    const keepers = this.#keepers;
    this.#keepers = [];
    this.#address = null;
    this.#goesDown();
    for (const keeper of keepers) keeper.close(reason);
  }

  #keep(address: string, linkClass: "bulk" | "control"): LinkKeeper {
    const { system, log, hello, up } = this.#options;
    const keeper = keepLink(() => ({
      url: `ws://${address}${linkPath}`,
      hello: { ...hello(), class: linkClass },
    }));
    keeper.events.on("up", (link) => {
      system.attach(link);
      if (linkClass !== "control") return;
      this.#peer = link.peer.node;
      this.#lost = undefined;
      up(link.peer);
    });
    keeper.events.on("down", (reason) => {
      log.debug({ reason, class: linkClass, address }, "the link to the leader is down");
      if (linkClass !== "control" || !this.#keepers.includes(keeper)) return;
      if (this.#peer !== undefined)
        this.#lost = { node: this.#peer, reason, at: performance.now() };
      this.#goesDown();
    });
    keeper.events.on("refused", (reason) => this.#tellRefusal(reason, address));
    return keeper;
  }

  /** It is tried again many times a second, with the same answer each time. */
  #tellRefusal(reason: string, address: string): void {
    const now = performance.now();
    const { reason: before, at } = this.#refusal;
    if (reason === before && now - at < refusalEveryMs) return;
    this.#refusal = { reason, at: now };
    this.#options.log.error({ reason, address }, "the leader refuses this node");
  }

  #goesDown(): void {
    if (this.#peer === undefined) return;
    this.#peer = undefined;
    this.#options.down();
  }
}
