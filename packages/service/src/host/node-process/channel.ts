import { randomBytes } from "node:crypto";
import { closeSync, constants, openSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { channelVariable, keyVariable } from "./names.ts";
import { SocketPort } from "./socket-port.ts";

const socketName = "node.sock";
const keyBytes = 16;
const strangersMax = 4;
/** Time for one who connects to show the key. */
const keyMs = 5_000;

/** The way to a child that connects back. */
export interface Channel {
  readonly port: SocketPort;
  /** What the child has to find in its environment; it runs in the directory of the channel. */
  readonly env: Readonly<Record<string, string>>;
  /** Resolves when the child has closed it, or `close` was called. */
  readonly closed: Promise<void>;
  close(): void;
}

/** Waits in a directory for the child that knows the key; it alone is let in, once. Throws what opening the directory throws. */
export function openChannel(directory: string): Channel {
  const key = randomBytes(keyBytes).toString("hex");
  const port = new SocketPort();
  rmSync(join(directory, socketName), { force: true });
  // By way of the open directory the path is short, however long that of the directory is.
  const opened = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  let resolveClosed = (): void => undefined;
  const closed = new Promise<void>((resolve) => {
    resolveClosed = resolve;
  });
  const server = createServer((socket) => greet(socket, key, letIn));
  server.maxConnections = strangersMax;
  let isOpen = true;
  const stopListening = () => {
    if (!isOpen) return;
    isOpen = false;
    server.close();
    closeSync(opened);
  };
  // The child finds no socket, and its end says that.
  server.on("error", stopListening);
  server.listen(`/proc/self/fd/${opened}/${socketName}`);

  function letIn(socket: Socket): void {
    if (!isOpen) {
      socket.destroy();
      return;
    }
    stopListening();
    socket.once("close", resolveClosed);
    port.attach(socket);
  }

  return {
    port,
    env: { [channelVariable]: socketName, [keyVariable]: key },
    closed,
    close() {
      stopListening();
      port.close();
      resolveClosed();
    },
  };
}

/** The first bytes have to be the key. */
function greet(socket: Socket, key: string, letIn: (socket: Socket) => void): void {
  const timer = setTimeout(() => socket.destroy(), keyMs);
  socket.on("error", () => socket.destroy());
  socket.once("close", () => clearTimeout(timer));
  socket.once("data", (bytes: Buffer) => {
    clearTimeout(timer);
    const shown = bytes.subarray(0, key.length + 1).toString("latin1");
    if (shown !== `${key}\n`) {
      socket.destroy();
      return;
    }
    const rest = bytes.subarray(key.length + 1);
    if (rest.length > 0) socket.unshift(rest);
    letIn(socket);
  });
}
