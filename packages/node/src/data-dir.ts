import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { HalonError } from "@halon/protocol";

const askTimeoutMs = 2_000;

/** A data directory that this process alone uses. */
export interface DataDir {
  readonly path: string;
  /** Says, to who asks `endpointOf`, where this process can be reached. */
  announce(endpoint: string): void;
  release(): void;
}

/**
 * Makes the directory (mode 0700) and locks it.
 *
 * The lock is an abstract unix socket: the kernel releases it however this process ends. Errors:
 * HAL_DATA_DIR_INVALID, HAL_DATA_DIR_LOCKED.
 */
export async function openDataDir(path: string): Promise<DataDir> {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (!statSync(path).isDirectory()) throw new Error("it is not a directory");
    chmodSync(path, 0o700);
    mkdirSync(join(path, "services"), { recursive: true, mode: 0o700 });
  } catch (cause) {
    const message = `The data directory ${path} cannot be used: ${(cause as Error).message}. Name another with --data-dir.`;
    throw new HalonError("HAL_DATA_DIR_INVALID", message, { cause });
  }
  const real = realpathSync(path);
  let endpoint = "";
  const server = await lock(real, () => endpoint);
  return {
    path: real,
    announce: (reachedAt) => {
      endpoint = reachedAt;
    },
    release: () => server.close(),
  };
}

/**
 * `host:port` of the process that uses the directory, which the lock itself tells; empty before it listens,
 * undefined when there is none.
 */
export function endpointOf(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = "";
    const none = () => resolve(undefined);
    if (!existsSync(path)) return none();
    const socket = connect(lockName(realpathSync(path)));
    socket.setTimeout(askTimeoutMs, () => socket.destroy());
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.once("error", none);
    socket.once("close", () => resolve(text));
  });
}

function lockName(realPath: string): string {
  const name = createHash("sha256").update(realPath).digest("hex").slice(0, 32);
  return `\0halond-${name}`;
}

function lock(path: string, endpoint: () => string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(endpoint());
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const message = `Another halond uses the data directory ${path}. Stop it (halond stop --data-dir ${path}), or name another directory with --data-dir.`;
      reject(new HalonError("HAL_DATA_DIR_LOCKED", message, { cause }));
    });
    server.listen(lockName(path), () => resolve(server));
  });
}
