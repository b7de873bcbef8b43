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

/** Keeps both links to the tracking node open. */
export function keepLinks(options: {
  readonly system: ActorSystem;
  readonly log: Logger;
  /** `host:port` of the tracking node, asked before every attempt. */
  address(): string;
  hello(): OwnHello;
  up(peer: Hello): void;
  down(): void;
}): { close(): void } {
  const keepers: LinkKeeper[] = (["bulk", "control"] as const).map((linkClass) => {
    const keeper = keepLink(() => ({
      url: `ws://${options.address()}${linkPath}`,
      hello: { ...options.hello(), class: linkClass },
    }));
    keeper.events.on("up", (link) => {
      options.system.attach(link);
      if (linkClass === "control") options.up(link.peer);
    });
    keeper.events.on("down", (reason) => {
      options.log.debug({ reason, class: linkClass }, "the link to the tracking node is down");
      if (linkClass === "control") options.down();
    });
    keeper.events.on("refused", (reason) =>
      options.log.error({ reason }, "the tracking node refuses this node"),
    );
    return keeper;
  });
  return {
    close: () => {
      for (const keeper of keepers) keeper.close();
    },
  };
}
