import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** What becomes of connections through a proxy. `deaf`: questions arrive, and the answers are cut off. */
export type Passage = "open" | "deaf" | "closed";

export interface Proxy {
  /** `host:port`. */
  readonly endpoint: string;
  passage: Passage;
  /** Ends all connections; new ones may come. */
  cut(): void;
  close(): Promise<void>;
}

/** Stands between a client and `target`, `host:port`. */
export async function startProxy(target: string): Promise<Proxy> {
  const [host, port] = target.split(":");
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    if (proxy.passage === "closed") {
      client.destroy();
      return;
    }
    const upstream = connect(Number(port), host);
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      // Errors are followed by close.
      socket
        .on("error", () => undefined)
        .once("close", () => {
          sockets.delete(socket);
          end();
        });
    }
    client.pipe(upstream);
    upstream.on("data", (data) => {
      if (proxy.passage === "open") client.write(data);
      else end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const listening = address !== null && typeof address === "object" ? address.port : 0;
  const proxy: Proxy = {
    endpoint: `127.0.0.1:${listening}`,
    passage: "open",
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      proxy.passage = "closed";
      proxy.cut();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}
