import { emptyKv, type KvState } from "./state.ts";
import { Edit, Tree } from "./tree.ts";
import type { TreeCursor } from "./tree-cursor.ts";
import type { Value } from "./value.ts";

/** Version of the snapshot's format; a reader takes this one only. */
export const snapshotFormat = 1;

const chunkLength = 65_536;

/** The parts of a state that are trees, in the order in which they are written. */
const parts = ["root", "ttls", "due", "observers", "old", "young", "own"] as const;
type Part = (typeof parts)[number];

function partOf(state: KvState, part: Part): Value {
  switch (part) {
    case "root":
      return state.root;
    case "ttls":
      return state.ttls ?? Tree.empty;
    case "due":
      return state.due;
    case "observers":
      return state.observers;
    case "old":
      return state.clientIds.old;
    case "young":
      return state.clientIds.young;
    case "own":
      return state.own;
  }
}

/**
 * The state in pieces of about 64 Ki characters, each a JSON text; built as they are asked for.
 *
 * First `["halon-kv",format,index,logTime,wallTime,sweptTo]`, then `[part,value]` with what the piece adds, then `["end",count]`
 * with the number of pieces before. An object is an array of keys and members in turn, an array `{"a":[…]}`, an integer
 * that a double cannot hold `{"n":"…"}`. A single array or string is never divided.
 */
export function* snapshotChunks(state: KvState): Generator<string> {
  const { index, logTime, wallTime, sweptTo } = state;
  yield JSON.stringify(["halon-kv", snapshotFormat, index, logTime, wallTime, sweptTo]);
  let count = 1;
  for (const part of parts) {
    for (const chunk of partChunks(part, partOf(state, part))) {
      yield chunk;
      count++;
    }
  }
  yield `["end",${count}]`;
}

/** What a piece adds to an object: keys and members in turn. */
type Members = Packed[];

/** A value in a form that the platform's JSON takes as it is: no key becomes a property, no integer is rounded. */
type Packed =
  | null
  | boolean
  | number
  | string
  | Members
  | { readonly a: readonly Packed[] }
  | { readonly n: string };

interface Level {
  readonly key: string;
  readonly cursor: TreeCursor;
  /** What the piece that is being made adds here. */
  members: Members;
}

function* partChunks(part: Part, value: Value): Generator<string> {
  if (!(value instanceof Tree)) {
    yield JSON.stringify([part, packed(value)]);
    return;
  }
  const levels: Level[] = [{ key: "", cursor: value.cursor(), members: [] }];
  let root = levels[0]?.members;
  let length = 0;
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const { cursor, members } = level;
    if (!cursor.advance()) {
      levels.pop();
      continue;
    }
    const { key, value: member } = cursor;
    length += key.length + 6;
    if (member instanceof Tree) {
      const below: Level = { key, cursor: member.cursor(), members: [] };
      members.push(key, below.members);
      levels.push(below);
      continue;
    }
    const leaf = packed(member);
    members.push(key, leaf);
    length += typeof leaf === "string" ? leaf.length : lengthOf(leaf);
    if (length < chunkLength) continue;
    yield JSON.stringify([part, root]);
    root = reopened(levels);
    length = 0;
  }
  yield JSON.stringify([part, root]);
}

/** Gives each open level new members, each within those of the level above. */
function reopened(levels: readonly Level[]): Members | undefined {
  let above: Members | undefined;
  for (const level of levels) {
    level.members = [];
    above?.push(level.key, level.members);
    above = level.members;
  }
  return levels[0]?.members;
}

function packed(value: Value): Packed {
  if (typeof value === "bigint") return { n: value.toString() };
  if (value === null || typeof value !== "object") return value;
  if (!(value instanceof Tree)) return { a: value.map(packed) };
  const members: Members = [];
  const cursor = value.cursor();
  while (cursor.advance()) members.push(cursor.key, packed(cursor.value));
  return members;
}

/** About how long the value is as text. */
function lengthOf(value: Packed): number {
  if (typeof value === "string") return value.length;
  if (value === null || typeof value !== "object") return 8;
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + lengthOf(one), 2);
  return "n" in value ? value.n.length : lengthOf([...value.a]);
}

/** Puts a state together from the chunks of a snapshot, in order. Throws on whatever does not fit. */
export class SnapshotReader {
  readonly #edit = new Edit();
  readonly #parts = new Map<Part, Value>();
  #head: Pick<KvState, "index" | "logTime" | "wallTime" | "sweptTo"> | undefined;
  #count = 0;
  #isEnded = false;

  push(chunk: string): void {
    const piece: unknown = JSON.parse(chunk);
    if (!Array.isArray(piece)) throw this.#misfit("is no array");
    if (this.#isEnded) throw this.#misfit("comes after the end");
    const [kind, value]: readonly unknown[] = piece;
    if (this.#count === 0) this.#readHead(piece);
    else if (kind === "end") this.#readEnd(piece);
    else if (isPart(kind) && piece.length === 2) this.#add(kind, value);
    else throw this.#misfit("is of no known kind");
    this.#count++;
  }

  #readHead([kind, format, ...numbers]: readonly unknown[]): void {
    if (kind !== "halon-kv") throw this.#misfit("is not the head of a snapshot");
    if (format !== snapshotFormat) {
      throw this.#misfit(`has format ${String(format)}, where ${snapshotFormat} is known`);
    }
    const [index, logTime, wallTime, sweptTo] = numbers;
    const isWhole = isCount(index) && isCount(logTime) && isCount(wallTime) && isCount(sweptTo);
    if (!isWhole || numbers.length !== 4) throw this.#misfit("is a head without index and times");
    this.#head = { index, logTime, wallTime, sweptTo };
  }

  #readEnd([, count, ...rest]: readonly unknown[]): void {
    if (count !== this.#count || rest.length > 0) {
      throw this.#misfit(`ends ${String(count)} pieces`);
    }
    this.#isEnded = true;
  }

  #add(part: Part, packed: unknown): void {
    const before = this.#parts.get(part);
    if (Array.isArray(packed) && (before === undefined || before instanceof Tree)) {
      this.#parts.set(part, this.#merged(before ?? Tree.empty, packed));
    } else if (before === undefined) this.#parts.set(part, this.#unpacked(packed));
    else throw this.#misfit(`has a second ${part}`);
  }

  #merged(into: Tree, members: readonly unknown[]): Tree {
    let merged = into;
    for (let i = 0; i < members.length; i += 2) {
      const key = members[i];
      const member = members[i + 1];
      if (typeof key !== "string" || member === undefined) throw this.#misfit("has no key");
      const { size } = merged;
      if (!Array.isArray(member)) {
        merged = merged.set(key, this.#unpacked(member), this.#edit);
        if (merged.size === size) throw this.#misfit(`has ${JSON.stringify(key)} a second time`);
        continue;
      }
      const before = merged.get(key);
      if (before !== undefined && !(before instanceof Tree))
        throw this.#misfit(`has ${JSON.stringify(key)} a second time`);
      merged = merged.set(key, this.#merged(before ?? Tree.empty, member), this.#edit);
    }
    return merged;
  }

  #unpacked(packed: unknown): Value {
    switch (typeof packed) {
      case "string":
      case "number":
      case "boolean":
        return packed;
      case "object":
        return packed === null ? null : this.#unpackedObject(packed);
      default:
        throw this.#misfit("has a value of no known form");
    }
  }

  #unpackedObject(packed: object): Value {
    if (Array.isArray(packed)) return this.#merged(Tree.empty, packed);
    if ("a" in packed && Array.isArray(packed.a)) {
      return packed.a.map((one) => this.#unpacked(one));
    }
    if ("n" in packed && typeof packed.n === "string") return BigInt(packed.n);
    throw this.#misfit("has a value of no known form");
  }

  /** The state. Throws when the end has not been seen. */
  finish(): KvState {
    if (this.#head === undefined || !this.#isEnded) throw this.#misfit("is missing");
    const ttls = this.#tree("ttls");
    const clientIds = { young: this.#tree("young"), old: this.#tree("old") };
    const root = this.#parts.get("root");
    return {
      ...emptyKv,
      ...this.#head,
      // A root that was set to null is null, not empty.
      root: root === undefined ? Tree.empty : root,
      ttls: ttls.size === 0 ? null : ttls,
      due: this.#tree("due"),
      observers: this.#tree("observers"),
      clientIds,
      own: this.#tree("own"),
    };
  }

  #tree(part: Part): Tree {
    const value = this.#parts.get(part);
    if (value instanceof Tree) return value;
    throw new Error(`Snapshot without ${part}.`);
  }

  #misfit(what: string): Error {
    return new Error(`Piece ${this.#count} of the snapshot ${what}.`);
  }
}

function isPart(kind: unknown): kind is Part {
  return parts.some((part) => part === kind);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
