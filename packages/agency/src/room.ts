import { join } from "node:path";
import type { LogFs } from "./log-fs.ts";

const probeBytes = 1024 * 1024;
/** Opening the log removes what a crash left of it. */
const probeName = "room.tmp";

/** Whether a disk that was full takes a mebibyte again. Throws what else the disk says. */
export async function hasRoom(fs: LogFs, dir: string): Promise<boolean> {
  const path = join(dir, probeName);
  try {
    if ((await fs.readdir(dir)).includes(probeName)) await fs.unlink(path);
    const file = await fs.open(path, "create");
    try {
      await file.write(new Uint8Array(probeBytes), 0);
      await file.datasync();
    } finally {
      await file.close();
      await fs.unlink(path);
    }
    return true;
  } catch (error) {
    if (isFull(error)) return false;
    throw error;
  }
}

/** Whether the disk, or what its owner may use of it, is full. */
export function isFull(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return code === "ENOSPC" || code === "EDQUOT";
}
