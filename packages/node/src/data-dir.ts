import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { HalonError } from "@halon/protocol";

/** A data directory that this process alone uses. */
export interface DataDir {
  readonly path: string;
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
  const server = await lock(real);
  return { path: real, release: () => server.close() };
}

function lock(path: string): Promise<Server> {
  const name = createHash("sha256").update(path).digest("hex").slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  server.unref();
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const message = `Another halond uses the data directory ${path}. Stop it (halond stop --data-dir ${path}), or name another directory with --data-dir.`;
      reject(new HalonError("HAL_DATA_DIR_LOCKED", message, { cause }));
    });
    server.listen(`\0halond-${name}`, () => resolve(server));
  });
}
