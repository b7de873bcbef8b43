import { quoted } from "./json-string.ts";
import { writeJson } from "./json-writer.ts";
import { childOf, type Found, findIn } from "./locate.ts";
import { normalisePath, segmentsOf } from "./path.ts";
import type { KvState } from "./state.ts";
import type { ReadTransaction } from "./transaction.ts";
import { Tree } from "./tree.ts";

/** The longest answer that is built, in characters. */
export const answerLengthMax = 256 * 1024 * 1024;

/** JSON text of the answer to all reads at log time `now`; null when it is longer than `answerLengthMax`. */
export function readTransactions(
  state: KvState,
  reads: readonly ReadTransaction[],
  now: number,
): string | null {
  const root = findIn(state.root, state.ttls, [], now);
  let text = "[";
  for (const paths of reads) {
    if (text.length > 1) text += ",";
    text += readText(root, paths, now, answerLengthMax - text.length);
    if (text.length > answerLengthMax) return null;
  }
  return `${text}]`;
}

/**
 * JSON text of what the paths hold, each wrapped in its path; it stops somewhere beyond `lengthMax` characters.
 *
 * A missing path shows its longest prefix that is there, as an empty object.
 */
export function readText(
  root: Found | undefined,
  paths: ReadTransaction,
  now: number,
  lengthMax: number,
): string {
  if (root === undefined) return "";
  const [first] = paths;
  if (first !== undefined && paths.length === 1) {
    const printer = new Printer(now, isHidden(first), lengthMax);
    // An empty path reads nothing; only a slash is the root.
    if (first === "") printer.text = "{}";
    else printer.printOne(root, segmentsOf(normalisePath(first)));
    return printer.text;
  }
  const printer = new Printer(now, paths.some(isHidden), lengthMax);
  printer.printWanted(root, wantedOf(paths));
  return printer.text;
}

/** JSON text of all that is there, hidden members too. */
export function wholeText(found: Found, now: number): string {
  const printer = new Printer(now, true, Number.POSITIVE_INFINITY);
  printer.print(found);
  return printer.text;
}

function isHidden(path: string): boolean {
  return path.startsWith(".") || path.includes("/.");
}

/** The paths of a transaction as one tree; what is below a node that is wanted whole says nothing more. */
interface Wanted {
  isWhole: boolean;
  readonly children: Map<string, Wanted>;
}

function wantedOf(paths: ReadTransaction): Wanted {
  const root: Wanted = { isWhole: false, children: new Map() };
  for (const raw of paths) {
    if (raw === "") continue;
    let node = root;
    for (const key of segmentsOf(normalisePath(raw))) {
      let child = node.children.get(key);
      if (child === undefined) {
        child = { isWhole: false, children: new Map() };
        node.children.set(key, child);
      }
      node = child;
    }
    node.isWhole = true;
  }
  return root;
}

/** Writes parts of the tree as JSON, straight from its nodes. */
class Printer {
  text = "";
  readonly #now: number;
  readonly #showsHidden: boolean;
  readonly #lengthMax: number;

  constructor(now: number, showsHidden: boolean, lengthMax: number) {
    this.#now = now;
    this.#showsHidden = showsHidden;
    this.#lengthMax = lengthMax;
  }

  /** What `printWanted` gives for a single path. */
  printOne(root: Found, segments: readonly string[]): void {
    let found: Found | undefined = root;
    let ends = "";
    for (const key of segments) {
      found = childOf(found, key, this.#now);
      if (found === undefined) break;
      this.text += `{${quoted(key)}:`;
      ends += "}";
    }
    if (found === undefined) this.text += "{}";
    else this.print(found);
    this.text += ends;
  }

  printWanted(found: Found, wanted: Wanted): void {
    if (wanted.isWhole) {
      this.print(found);
      return;
    }
    let separator = "{";
    for (const [key, deeper] of wanted.children) {
      const child = childOf(found, key, this.#now);
      if (child === undefined) continue;
      this.text += `${separator}${quoted(key)}:`;
      separator = ",";
      this.printWanted(child, deeper);
    }
    this.text += separator === "{" ? "{}" : "}";
  }

  print(found: Found): void {
    const { value } = found;
    if (!(value instanceof Tree)) {
      this.text += writeJson(value);
      return;
    }
    let separator = "{";
    const members = value.cursor();
    while (members.advance()) {
      const { key } = members;
      if (this.text.length > this.#lengthMax) break;
      if (!this.#showsHidden && key.startsWith(".")) continue;
      const child =
        found.ttls === null ? { value: members.value, ttls: null } : childOf(found, key, this.#now);
      if (child === undefined) continue;
      this.text += `${separator}${quoted(key)}:`;
      separator = ",";
      this.print(child);
    }
    this.text += separator === "{" ? "{}" : "}";
  }
}
