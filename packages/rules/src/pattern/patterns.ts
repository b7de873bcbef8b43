import type { AggregateType, Contribution, Overflow, PatternDescription } from "@halon/protocol";
import { type DataOf, Duration, type EventType, type Json } from "@halon/protocol";
import type { Match } from "./match.ts";

/** `500ms`, `10s`, `1m`, `2h`, `1d`, or milliseconds. */
export type Span = string | number;

/** What most patterns take: `by` gives the key of an event, each key has a window of its own. */
export interface KeyOptions<D> {
  /** Default: one window for all. */
  readonly by?: (event: D) => string | number;
  /** Events for which it is false count for nothing. */
  readonly where?: (event: D) => boolean;
  /** Windows that are kept at most, 10,000 by default; what becomes of a new key then. */
  readonly keys?: number;
  readonly overflow?: Overflow;
}

/** What a pattern of one type of event gives to its windows. */
export interface Part {
  readonly event: EventType;
  /** Null: the event counts for nothing. Code of the rule file; it is run once, at the decision. */
  readonly contribute: (event: never) => Omit<Contribution, "part"> | null;
}

/** A pattern over time: `D` is the data of the event that completes it, `M` what the rule sees as `match`. */
export interface Pattern<D, M> {
  readonly kind: "pattern";
  readonly description: PatternDescription;
  readonly parts: readonly Part[];
  /** What a match is for the rule. */
  readonly show: (match: Match) => M;
  /** Never there; keeps the type of the event. */
  readonly completes?: (event: D) => void;
}

/** Of patterns that time completes: there is no event. */
export type NoEvent = Record<string, never>;

type AnyEvent = EventType<string, never>;

const keysMaxDefault = 10_000;
const keysMaxMost = 1_000_000;
const atLeastMost = 10_000;
const partsMost = 32;
const bucketsDefault = 8;
const bucketsMost = 60;
const joinKeepDefault = 16;
const joinKeepMost = 256;
/** Characters of a key; a longer one is refused, as keys are kept. */
const keyCharsMax = 512;

/** So many events of one key within that time. Then it begins anew. */
export function count<E extends AnyEvent | EventType>(
  event: E,
  options: KeyOptions<DataOf<E>> & { readonly atLeast: number; readonly within: Span },
): Pattern<DataOf<E>, Match & { readonly count: number }> {
  const atLeast = whole("count", "atLeast", options.atLeast, 1, atLeastMost);
  const withinMs = ms("count", "within", options.within);
  return {
    kind: "pattern",
    description: { type: "count", atLeast, withinMs, ...keyed("count", options) },
    parts: [partOf(event, options)],
    show: (match) => ({ ...match, count: match.count ?? 0 }),
  };
}

type LastOf<E extends readonly unknown[]> = E extends readonly [...unknown[], infer L] ? L : never;

/** Events that come in this order within that time; others may come between them. */
export function sequence<const E extends readonly (AnyEvent | EventType)[]>(
  events: E,
  options: KeyOptions<DataOf<E[number]>> & { readonly within: Span },
): Pattern<DataOf<LastOf<E>>, Match> {
  const parts = whole("sequence", "number of events", events.length, 2, partsMost);
  const withinMs = ms("sequence", "within", options.within);
  return {
    kind: "pattern",
    description: { type: "sequence", parts, withinMs, ...keyed("sequence", options) },
    parts: events.map((event) => partOf(event, options)),
    show: (match) => match,
  };
}

/** Events that come in any order within that time. */
export function all<const E extends readonly (AnyEvent | EventType)[]>(
  events: E,
  options: KeyOptions<DataOf<E[number]>> & { readonly within: Span },
): Pattern<DataOf<E[number]>, Match> {
  const parts = whole("all", "number of events", events.length, 2, partsMost);
  const withinMs = ms("all", "within", options.within);
  return {
    kind: "pattern",
    description: { type: "all", parts, withinMs, ...keyed("all", options) },
    parts: events.map((event) => partOf(event, options)),
    show: (match) => match,
  };
}

/** `after` came, and `event` did not within that time. */
export function absence<E extends AnyEvent | EventType, A extends AnyEvent | EventType>(
  event: E,
  options: KeyOptions<DataOf<E> | DataOf<A>> & { readonly after: A; readonly within: Span },
): Pattern<NoEvent, Match> {
  const withinMs = ms("absence", "within", options.within);
  return {
    kind: "pattern",
    description: { type: "absence", withinMs, ...keyed("absence", options) },
    parts: [partOf(options.after, options), partOf(event, options)],
    show: (match) => match,
  };
}

/** The first event of a key in each such time. */
export function throttle<E extends AnyEvent | EventType>(
  event: E,
  options: KeyOptions<DataOf<E>> & { readonly every: Span },
): Pattern<DataOf<E>, Match> {
  const everyMs = ms("throttle", "every", options.every);
  return {
    kind: "pattern",
    description: { type: "throttle", everyMs, ...keyed("throttle", options) },
    parts: [partOf(event, options)],
    show: (match) => match,
  };
}

/** The last event of a key, when none has followed for so long. */
export function debounce<E extends AnyEvent | EventType>(
  event: E,
  options: KeyOptions<DataOf<E>> & { readonly quiet: Span },
): Pattern<NoEvent, Match & { readonly count: number; readonly last: DataOf<E> }> {
  const quietMs = ms("debounce", "quiet", options.quiet);
  const kept = (data: never) => ({ kept: data as Json });
  return {
    kind: "pattern",
    description: { type: "debounce", quietMs, ...keyed("debounce", options) },
    parts: [partOf(event, options, kept)],
    show: ({ kept: last, ...match }) => ({
      ...match,
      count: match.count ?? 0,
      last: last as DataOf<E>,
    }),
  };
}

/** Each pair of events of two types with one key, whichever comes first. */
export function join<L extends AnyEvent | EventType, R extends AnyEvent | EventType>(
  left: L,
  right: R,
  options: {
    readonly on: readonly [
      left: (event: DataOf<L>) => string | number,
      right: (event: DataOf<R>) => string | number,
    ];
    readonly within: Span;
    /** Events of each side that wait at most, 16 by default. */
    readonly keep?: number;
    readonly keys?: number;
    readonly overflow?: Overflow;
  },
): Pattern<DataOf<L> | DataOf<R>, Match & { readonly left: DataOf<L>; readonly right: DataOf<R> }> {
  const withinMs = ms("join", "within", options.within);
  const keep = whole("join", "keep", options.keep ?? joinKeepDefault, 1, joinKeepMost);
  const [byLeft, byRight] = options.on;
  const kept = (data: never) => ({ kept: data as Json });
  return {
    kind: "pattern",
    description: { type: "join", withinMs, keep, ...keyed("join", options) },
    parts: [partOf(left, { by: byLeft }, kept), partOf(right, { by: byRight }, kept)],
    show: ({ kept: pair, ...match }) => {
      const [one, other] = pair as unknown as readonly [DataOf<L>, DataOf<R>];
      return { ...match, left: one, right: other };
    },
  };
}

/** One number of a window: how many events, or what is made of a number of each. */
export interface Aggregate<D> {
  readonly type: AggregateType;
  readonly of: (event: D) => number;
}

/** Ways to put the numbers of a window together. */
export const aggregate = {
  count: <D>(): Aggregate<D> => ({ type: "count", of: () => 1 }),
  sum: <D>(of: (event: D) => number): Aggregate<D> => ({ type: "sum", of }),
  mean: <D>(of: (event: D) => number): Aggregate<D> => ({ type: "mean", of }),
  min: <D>(of: (event: D) => number): Aggregate<D> => ({ type: "min", of }),
  max: <D>(of: (event: D) => number): Aggregate<D> => ({ type: "max", of }),
  last: <D>(of: (event: D) => number): Aggregate<D> => ({ type: "last", of }),
};

type Aggregates<D> = Readonly<Record<string, Aggregate<D>>>;

type WindowMatch<A> = Match & {
  readonly count: number;
  readonly values: { readonly [name in keyof A]: number };
};

/** The last so much time, at each event; it moves on in steps of one of `buckets`, 8 by default. */
export function sliding<E extends AnyEvent | EventType, A extends Aggregates<DataOf<E>>>(
  event: E,
  options: KeyOptions<DataOf<E>> & {
    readonly within: Span;
    readonly buckets?: number;
    readonly aggregate: A;
  },
): Pattern<DataOf<E>, WindowMatch<A>> {
  const withinMs = ms("sliding", "within", options.within);
  const buckets = whole("sliding", "buckets", options.buckets ?? bucketsDefault, 1, bucketsMost);
  const aggregates = described(options.aggregate);
  return windowPattern(event, options, {
    type: "sliding",
    withinMs,
    buckets,
    aggregates,
    ...keyed("sliding", options),
  });
}

/** Windows that follow each other; each matches at its end. */
export function tumbling<E extends AnyEvent | EventType, A extends Aggregates<DataOf<E>>>(
  event: E,
  options: KeyOptions<DataOf<E>> & { readonly every: Span; readonly aggregate: A },
): Pattern<NoEvent, WindowMatch<A>> {
  const everyMs = ms("tumbling", "every", options.every);
  const aggregates = described(options.aggregate);
  return windowPattern(event, options, {
    type: "tumbling",
    everyMs,
    aggregates,
    ...keyed("tumbling", options),
  });
}

/** Events that follow each other with no longer gap; matches when the gap has passed. */
export function session<E extends AnyEvent | EventType, A extends Aggregates<DataOf<E>>>(
  event: E,
  options: KeyOptions<DataOf<E>> & { readonly gap: Span; readonly aggregate: A },
): Pattern<NoEvent, WindowMatch<A>> {
  const gapMs = ms("session", "gap", options.gap);
  const aggregates = described(options.aggregate);
  return windowPattern(event, options, {
    type: "session",
    gapMs,
    aggregates,
    ...keyed("session", options),
  });
}

function windowPattern<E extends AnyEvent | EventType, A extends Aggregates<DataOf<E>>, D>(
  event: E,
  options: KeyOptions<DataOf<E>> & { readonly aggregate: A },
  description: PatternDescription,
): Pattern<D, WindowMatch<A>> {
  const of = Object.values(options.aggregate).map((one) => one.of);
  const values = (data: never) => ({ values: of.map((each) => numberOf(each(data))) });
  return {
    kind: "pattern",
    description,
    parts: [partOf(event, options, values)],
    show: (match) => ({
      ...match,
      count: match.count ?? 0,
      values: (match.values ?? {}) as WindowMatch<A>["values"],
    }),
  };
}

function described(aggregates: Aggregates<never>) {
  return Object.entries(aggregates).map(([name, { type }]) => ({ name, type }));
}

function partOf(
  event: AnyEvent | EventType,
  { by, where }: Pick<KeyOptions<never>, "by" | "where">,
  more?: (event: never) => Pick<Contribution, "values" | "kept">,
): Part {
  return {
    event: event as EventType,
    contribute: (data) => {
      if (where !== undefined && !where(data)) return null;
      const key = by === undefined ? "" : keyText(by(data));
      return more === undefined ? { key } : { key, ...more(data) };
    },
  };
}

function keyText(key: string | number): string {
  const text = typeof key === "number" ? String(key) : key;
  if (typeof text !== "string")
    throw new TypeError(`the key of an event is ${typeof key}, not a text or number`);
  if (text.length <= keyCharsMax) return text;
  throw new RangeError(`the key of an event has ${text.length} characters, at most ${keyCharsMax}`);
}

function numberOf(value: number): number {
  if (typeof value === "number" && Number.isFinite(value)) return value + 0;
  throw new TypeError(`an aggregate of an event is ${String(value)}, not a finite number`);
}

function keyed(of: string, { keys, overflow }: Pick<KeyOptions<never>, "keys" | "overflow">) {
  return {
    keysMax: whole(of, "keys", keys ?? keysMaxDefault, 1, keysMaxMost),
    overflow: overflow ?? "oldest",
  } as const;
}

function ms(of: string, name: string, span: Span): number {
  const parsed = Duration.safeParse(span);
  if (!parsed.success)
    throw new TypeError(`${of}: ${name}: ${parsed.error.issues[0]?.message ?? "no duration"}`);
  return whole(of, name, parsed.data, 1, Number.MAX_SAFE_INTEGER);
}

function whole(of: string, name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`${of}: ${name} is ${value}; it is a whole number from ${min} to ${max}`);
}
