import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync } from "node:fs";
import { join } from "node:path";

/**
 * What makes a node part of a cluster. `setup.json` goes first: data without a setup stops the next start, a setup
 * without its data would let a member vote that has forgotten its votes.
 */
const kept = [
  "setup.json",
  "setup.json.new",
  "agency.json",
  "agency.json.tmp",
  "agency",
  "journal",
];

/** Moves what an earlier node left in the directory to `forgotten-<time>`. */
export function forgetSetup(dataDir: string, now: number): void {
  const found = kept.filter((name) => existsSync(join(dataDir, name)));
  if (found.length === 0) return;
  const target = freeName(
    join(dataDir, `forgotten-${new Date(now).toISOString().replaceAll(":", "-")}`),
  );
  mkdirSync(target, { mode: 0o700 });
  for (const name of found) {
    renameSync(join(dataDir, name), join(target, name));
    sync(target);
    sync(dataDir);
  }
}

function freeName(path: string): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? path : `${path}-${number}`;
    if (!existsSync(name)) return name;
  }
}

function sync(directory: string): void {
  const file = openSync(directory, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
