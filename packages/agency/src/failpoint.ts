import { unlinkSync } from "node:fs";
import { join } from "node:path";

const directory = process.env["HALON_FAILPOINTS"];

/**
 * Ends this process with SIGKILL if a tester asked for it here.
 *
 * Does nothing unless the environment named a directory in `HALON_FAILPOINTS` when this process started. A
 * file `<directory>/<name>` arms the point once: it is removed before the end, so the next start goes past it.
 */
export function failpoint(name: string): void {
  if (directory === undefined || directory === "") return;
  try {
    unlinkSync(join(directory, name));
  } catch {
    // Not armed, or another thread was first.
    return;
  }
  process.kill(process.pid, "SIGKILL");
}
