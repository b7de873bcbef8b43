// What a member's directory holds.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { pause } from "./processes.mjs";

/** Every file below a directory; files that vanish meanwhile are left out. */
function filesOf(dir) {
  return readdirSync(dir, { recursive: true }).flatMap((name) => {
    try {
      const { size, blocks } = statSync(join(dir, name));
      return [{ name, bytes: size, onDisk: blocks * 512 }];
    } catch {
      return [];
    }
  });
}

/** Bytes that the file system has given out. */
export function diskBytes(dir) {
  return filesOf(dir).reduce((sum, { onDisk }) => sum + onDisk, 0);
}

export function largestSnapshot(dir) {
  return Math.max(0, ...snapshots(dir).map(({ bytes }) => bytes));
}

function snapshots(dir) {
  return filesOf(dir).filter(({ name }) => name.endsWith(".snapshot"));
}

/** Waits for the next snapshot: how long its unfinished file was there, and its bytes. */
export async function watchSnapshot(dir, timeoutMs) {
  const before = new Set(snapshots(dir).map(({ name }) => name));
  const end = performance.now() + timeoutMs;
  let begunAt;
  while (performance.now() < end) {
    const files = filesOf(dir).filter(({ name }) => name.includes(".snapshot"));
    const finished = files.find(({ name }) => name.endsWith(".snapshot") && !before.has(name));
    const now = performance.now();
    if (finished !== undefined) return { ms: now - (begunAt ?? now), bytes: finished.bytes };
    if (files.some(({ name }) => !name.endsWith(".snapshot"))) begunAt ??= now;
    else begunAt = undefined;
    await pause(5);
  }
  throw new Error(`no snapshot within ${timeoutMs} ms`);
}
