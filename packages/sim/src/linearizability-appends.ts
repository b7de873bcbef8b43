import { canonicalJson, type Json } from "@halon/protocol";

/** An append of one element to the list of a key. Elements of a list are unique in a history. */
export interface AppendOperation {
  readonly type: "append";
  readonly id: string;
  readonly key: string;
  readonly value: Json;
  readonly start: number;
  readonly end: number;
  readonly outcome: "ok" | "refused" | "unknown";
}

/** A read of a whole list; an absent one is empty. */
export interface ListReadOperation {
  readonly type: "read";
  readonly id: string;
  readonly key: string;
  readonly values: readonly Json[];
  readonly start: number;
  readonly end: number;
}

/** One operation of a recorded history of lists. */
export type ListOperation = AppendOperation | ListReadOperation;

/** What is said of a history of lists: of the first key that is wrong, which operations contradict each other. */
export type AppendVerdict =
  | { readonly type: "linearizable" }
  | {
      readonly type: "violation";
      readonly key: string;
      readonly reason: string;
      readonly ids: readonly string[];
    };

/**
 * Decides whether a history of appends to lists is linearizable: exactly, and in the time that sorting takes.
 *
 * As elements are unique, the longest read tells the order of all that any read saw (the idea of Elle, Kingsbury and Alvaro 2020).
 * Throws a `RangeError` on two appends of one element to one list.
 */
export function checkAppends(history: readonly ListOperation[]): AppendVerdict {
  const lists = new Map<string, ListOperation[]>();
  for (const operation of history) {
    const list = lists.get(operation.key);
    if (list === undefined) lists.set(operation.key, [operation]);
    else list.push(operation);
  }
  for (const [key, operations] of lists) {
    const found = findContradiction(operations);
    if (found !== undefined) return { type: "violation", key, ...found };
  }
  return { type: "linearizable" };
}

interface Contradiction {
  readonly reason: string;
  readonly ids: readonly string[];
}

type Append = AppendOperation;
type Read = ListReadOperation & { readonly texts: readonly string[] };

function findContradiction(operations: readonly ListOperation[]): Contradiction | undefined {
  const appends = appendsByText(operations);
  const reads = operations.flatMap((operation): Read[] =>
    operation.type === "read" ? [{ ...operation, texts: operation.values.map(canonicalJson) }] : [],
  );
  const longest = reads.reduce<Read | undefined>(
    (best, read) => (best !== undefined && best.texts.length >= read.texts.length ? best : read),
    undefined,
  );
  const order = longest?.texts ?? [];
  return (
    (longest && (strangeElement(longest, appends) ?? fork(reads, longest))) ??
    againstTime(placed(appends, reads, order))
  );
}

function appendsByText(operations: readonly ListOperation[]): ReadonlyMap<string, Append> {
  const appends = new Map<string, Append>();
  for (const operation of operations) {
    if (operation.type !== "append" || operation.outcome === "refused") continue;
    const text = canonicalJson(operation.value);
    const other = appends.get(text);
    if (other !== undefined) {
      throw new RangeError(
        `${other.id} and ${operation.id} both append ${text} to ${operation.key}`,
      );
    }
    appends.set(text, operation);
  }
  return appends;
}

function strangeElement(
  { id, texts }: Read,
  appends: ReadonlyMap<string, Append>,
): Contradiction | undefined {
  const seen = new Set<string>();
  for (const text of texts) {
    const append = appends.get(text);
    if (append === undefined) return { reason: `nobody appended ${text}`, ids: [id] };
    if (seen.has(text)) return { reason: `${text} is there twice`, ids: [append.id, id] };
    seen.add(text);
  }
  return undefined;
}

/** All states of a list are prefixes of its longest one. */
function fork(reads: readonly Read[], longest: Read): Contradiction | undefined {
  const other = reads.find(({ texts }) => texts.some((text, at) => text !== longest.texts[at]));
  return other && { reason: "neither list begins with the other", ids: [other.id, longest.id] };
}

interface Placed {
  readonly operation: Append | Read;
  /** Where it stands in every order: appends at odd places, reads of `n` elements at `2n`. */
  readonly place: number;
  readonly end: number;
}

/** Appends that nobody saw come after all reads, in any order among themselves. */
function placed(
  appends: ReadonlyMap<string, Append>,
  reads: readonly Read[],
  order: readonly string[],
): readonly Placed[] {
  const places = new Map(order.map((text, at) => [text, 2 * at + 1]));
  const all: Placed[] = reads.map((read) => ({
    operation: read,
    place: 2 * read.texts.length,
    end: read.end,
  }));
  for (const [text, append] of appends) {
    const isUnknown = append.outcome === "unknown";
    const place = places.get(text);
    if (place === undefined && isUnknown) continue;
    all.push({
      operation: append,
      place: place ?? 2 * order.length + 1,
      end: isUnknown ? Number.POSITIVE_INFINITY : append.end,
    });
  }
  return all.sort((a, b) => a.place - b.place || a.operation.start - b.operation.start);
}

/** Each has a moment of its own if none ended before the start of one that stands before it. */
function againstTime(order: readonly Placed[]): Contradiction | undefined {
  let latest: Placed | undefined;
  let latestOfPlace: Placed | undefined;
  for (const next of order) {
    if (latestOfPlace !== undefined && latestOfPlace.place < next.place) {
      if (latest === undefined || latestOfPlace.operation.start > latest.operation.start) {
        latest = latestOfPlace;
      }
    }
    // Within one place the order is free, and starts ascend.
    latestOfPlace = next;
    if (latest !== undefined && next.end < latest.operation.start) {
      return { reason: reasonOf(next, latest), ids: [next.operation.id, latest.operation.id] };
    }
  }
  return undefined;
}

function reasonOf({ operation: first }: Placed, { operation: second }: Placed): string {
  if (second.type === "read") {
    return first.type === "append"
      ? "a read lacks an element that was acknowledged before it"
      : "a read has less than one before it";
  }
  return first.type === "append"
    ? "an element stands before one that was acknowledged before it was appended"
    : "a read has an element that was appended after it";
}
