import { closeSync, fdatasync, fdatasyncSync, fsync, openSync, write, writeSync } from "node:fs";
import { mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { promisify } from "node:util";
import type { LogFile, LogFs } from "./log-fs.ts";

const writeAsync = promisify(write);
const datasyncAsync = promisify(fdatasync);
const syncAsync = promisify(fsync);

/** The log's files on a disk. Files are readable by their owner only. */
export const diskFs: LogFs = {
  mkdir: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  readdir: (path) => readdir(path),
  size: async (path) => (await stat(path)).size,
  open: async (path, mode) => diskFile(await open(path, mode === "create" ? "wx+" : "r+", 0o600)),
  rename: (from, to) => rename(from, to),
  unlink: (path) => unlink(path),
  syncDir: async (path) => {
    const descriptor = openSync(path, "r");
    try {
      await syncAsync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  },
};

function diskFile(handle: Awaited<ReturnType<typeof open>>): LogFile {
  const descriptor = handle.fd;
  return {
    writeSync(data, position) {
      for (let done = 0; done < data.length; ) {
        done += writeSync(descriptor, data, done, data.length - done, position + done);
      }
    },
    datasyncSync: () => fdatasyncSync(descriptor),
    async write(data, position) {
      for (let done = 0; done < data.length; ) {
        const left = data.length - done;
        done += (await writeAsync(descriptor, data, done, left, position + done)).bytesWritten;
      }
    },
    datasync: () => datasyncAsync(descriptor),
    async read(position, length) {
      const buffer = Buffer.allocUnsafe(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await handle.read(buffer, done, length - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return buffer.subarray(0, done);
    },
    async truncate(length) {
      await handle.truncate(length);
      await handle.sync();
    },
    close: () => handle.close(),
  };
}
