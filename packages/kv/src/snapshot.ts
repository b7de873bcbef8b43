import { parseJson } from "./json.ts";
import { writeJson } from "./json-writer.ts";
import { limits } from "./limits.ts";
import { emptyKv, type KvState } from "./state.ts";
import { Edit, Tree } from "./tree.ts";
import type { Value } from "./value.ts";

/** Version of the snapshot's format; a reader takes this one only. */
export const snapshotFormat = 1;

const chunkLength = 65_536;

/** The parts of a state that are trees, in the order in which they are written. */
const parts = ["root", "ttls", "observers", "old", "young"] as const;
type Part = (typeof parts)[number];

function partOf(state: KvState, part: Part): Value {
  switch (part) {
    case "root":
      return state.root;
    case "ttls":
      return state.ttls ?? Tree.empty;
    case "observers":
      return state.observers;
    case "old":
      return state.clientIds.old;
    case "young":
      return state.clientIds.young;
  }
}

/**
 * The state in pieces of about 64 Ki characters, each a JSON text; built as they are asked for.
 *
 * First `["halon-kv",format,index,logTime,wallTime]`, then `[part,value]` with the members that the piece adds, then
 * `["end",count]` with the number of pieces before. A single array or string is never divided.
 */
export function* snapshotChunks(state: KvState): Generator<string> {
  yield `["halon-kv",${snapshotFormat},${state.index},${state.logTime},${state.wallTime}]`;
  let count = 1;
  for (const part of parts) {
    for (const chunk of partChunks(part, partOf(state, part))) {
      yield chunk;
      count++;
    }
  }
  yield `["end",${count}]`;
}

interface Level {
  /** What opens the level again in the next piece: its key, and a brace. */
  readonly opening: string;
  readonly entries: Iterator<[string, Value]>;
}

function* partChunks(part: Part, value: Value): Generator<string> {
  const head = `["${part}",`;
  if (!(value instanceof Tree)) {
    yield `${head}${writeJson(value)}]`;
    return;
  }
  const levels: Level[] = [{ opening: "{", entries: value.entries() }];
  let text = `${head}{`;
  let separator = "";
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const next = level.entries.next();
    if (next.done === true) {
      levels.pop();
      text += "}";
      separator = ",";
      continue;
    }
    const [key, member] = next.value;
    if (member instanceof Tree) {
      const opening = `${JSON.stringify(key)}:{`;
      levels.push({ opening, entries: member.entries() });
      text += separator + opening;
      separator = "";
      continue;
    }
    text += `${separator}${JSON.stringify(key)}:${writeJson(member)}`;
    separator = ",";
    if (text.length < chunkLength) continue;
    yield `${text}${"}".repeat(levels.length)}]`;
    text = head + levels.map(({ opening }) => opening).join("");
    separator = "";
  }
  yield `${text}]`;
}

/** Puts a state together from the chunks of a snapshot, in order. Throws on whatever does not fit. */
export class SnapshotReader {
  readonly #edit = new Edit();
  readonly #parts = new Map<Part, Value>();
  #head: Pick<KvState, "index" | "logTime" | "wallTime"> | undefined;
  #count = 0;
  #isEnded = false;

  push(chunk: string): void {
    const piece = parseJson(chunk, { depthMax: 2 * limits.levelsMax + 2 });
    if (!isList(piece)) throw this.#misfit("is no array");
    if (this.#isEnded) throw this.#misfit("comes after the end");
    const [kind, value] = piece;
    if (this.#count === 0) this.#readHead(piece);
    else if (kind === "end") this.#readEnd(piece);
    else if (isPart(kind) && value !== undefined && piece.length === 2) this.#add(kind, value);
    else throw this.#misfit("is of no known kind");
    this.#count++;
  }

  #readHead([kind, format, ...numbers]: readonly Value[]): void {
    if (kind !== "halon-kv") throw this.#misfit("is not the head of a snapshot");
    if (format !== snapshotFormat) {
      throw this.#misfit(`has format ${String(format)}, where ${snapshotFormat} is known`);
    }
    const [index, logTime, wallTime] = numbers;
    if (numbers.length !== 3 || !isCount(index) || !isCount(logTime) || !isCount(wallTime)) {
      throw this.#misfit("is a head without index and times");
    }
    this.#head = { index, logTime, wallTime };
  }

  #readEnd([, count, ...rest]: readonly Value[]): void {
    if (count !== this.#count || rest.length > 0) {
      throw this.#misfit(`ends ${String(count)} pieces`);
    }
    this.#isEnded = true;
  }

  #add(part: Part, value: Value): void {
    const before = this.#parts.get(part);
    if (before === undefined) this.#parts.set(part, value);
    else if (before instanceof Tree && value instanceof Tree) {
      this.#parts.set(part, this.#merged(before, value));
    } else throw this.#misfit(`has a second ${part}`);
  }

  #merged(into: Tree, piece: Tree): Tree {
    let merged = into;
    for (const [key, value] of piece.entries()) {
      const before = merged.get(key);
      if (before === undefined) merged = merged.set(key, value, this.#edit);
      else if (before instanceof Tree && value instanceof Tree) {
        const next = this.#merged(before, value);
        if (next !== before) merged = merged.set(key, next, this.#edit);
      } else throw this.#misfit(`has ${JSON.stringify(key)} a second time`);
    }
    return merged;
  }

  /** The state. Throws when the end has not been seen. */
  finish(): KvState {
    if (this.#head === undefined || !this.#isEnded) throw this.#misfit("is missing");
    const ttls = this.#tree("ttls");
    const clientIds = { young: this.#tree("young"), old: this.#tree("old") };
    return {
      ...emptyKv,
      ...this.#head,
      root: this.#parts.get("root") ?? Tree.empty,
      ttls: ttls.size === 0 ? null : ttls,
      observers: this.#tree("observers"),
      clientIds,
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

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function isPart(kind: Value | undefined): kind is Part {
  return parts.some((part) => part === kind);
}

function isCount(value: Value | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
