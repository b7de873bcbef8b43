import { findIn } from "./locate.ts";
import { observed } from "./observers.ts";
import { wholeText } from "./read.ts";
import { snapshotChunks } from "./snapshot.ts";
import type { KvState, Stamp } from "./state.ts";
import { expiriesBelow } from "./ttl.ts";

/** JSON text of the whole tree, hidden members too, without what has expired at log time `now`. */
export function dumpTree(state: KvState, now: number): string {
  const root = findIn(state.root, state.ttls, [], now);
  return root === undefined ? "{}" : wholeText(root, now);
}

/**
 * JSON text of an element of `stores`: tree, expiries in seconds since 1970, observers by URL and by path.
 *
 * `now` relates log time to wall time.
 */
export function dumpStore(state: KvState, now: Stamp): string {
  const expiries: string[] = [];
  for (const [path, at] of expiriesBelow(state.ttls, "")) {
    if (at <= now.logTime) continue;
    const seconds = Math.floor((now.wallTime + (at - now.logTime)) / 1000);
    expiries.push(`${JSON.stringify(path)}:${seconds}`);
  }
  const byUrl: string[] = [];
  const byPath: string[] = [];
  for (const [path, url] of observed(state.observers)) {
    byUrl.push(`{${JSON.stringify(url)}:${JSON.stringify(path)}}`);
    byPath.push(`{${JSON.stringify(path)}:${JSON.stringify(url)}}`);
  }
  const tree = dumpTree(state, now.logTime);
  return `[${tree},{${expiries.join()}},[${byUrl.join()}],[${byPath.join()}]]`;
}

/** Digest of all of the state's content: equal content gives equal text, whatever its history. */
export function stateDigest(state: KvState): string {
  // Two FNV-1a hashes over the units of the snapshot's text, whose order depends on the content alone.
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (const chunk of snapshotChunks(state)) {
    for (let i = 0; i < chunk.length; i++) {
      const unit = chunk.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b ^ unit, 0x85ebca6b) ^ (b >>> 15);
    }
  }
  return hex(a) + hex(b);
}

function hex(n: number): string {
  return (n >>> 0).toString(16).padStart(8, "0");
}
