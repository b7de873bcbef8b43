import { z } from "zod";
import type { Json } from "./json.ts";

/** What becomes of a new key when a matcher has as many windows as it may keep. */
export type Overflow = z.infer<typeof Overflow>;
export const Overflow = z.enum(["oldest", "refuse"]);

/** How numbers of one window are put together. */
export type AggregateType = z.infer<typeof AggregateType>;
export const AggregateType = z.enum(["count", "sum", "mean", "min", "max", "last"]);

export type AggregateDescription = z.infer<typeof AggregateDescription>;
export const AggregateDescription = z.strictObject({
  name: z.string().min(1).max(63),
  type: AggregateType,
});

const ms = z.number().int().min(1);
const keyed = {
  /** Windows that are kept at most. */
  keysMax: z.number().int().min(1).max(1_000_000),
  overflow: Overflow,
};
const aggregates = z.array(AggregateDescription).max(32).readonly();
const parts = z.number().int().min(2).max(32);

/**
 * A pattern over time as plain data: what folds contributions without code of a rule file (rfc/0010). Times in ms.
 *
 * Parts of a pattern are counted from 0; what each part is an event of stands with the rule.
 */
export type PatternDescription = z.infer<typeof PatternDescription>;
export const PatternDescription = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("count"),
    atLeast: z.number().int().min(1).max(10_000),
    withinMs: ms,
    ...keyed,
  }),
  z.strictObject({ type: z.literal("sequence"), parts, withinMs: ms, ...keyed }),
  z.strictObject({ type: z.literal("all"), parts, withinMs: ms, ...keyed }),
  /** Part 0 begins it, part 1 is what must not be missing. */
  z.strictObject({ type: z.literal("absence"), withinMs: ms, ...keyed }),
  z.strictObject({
    type: z.literal("sliding"),
    withinMs: ms,
    buckets: z.number().int().min(1).max(60),
    aggregates,
    ...keyed,
  }),
  z.strictObject({ type: z.literal("tumbling"), everyMs: ms, aggregates, ...keyed }),
  z.strictObject({ type: z.literal("session"), gapMs: ms, aggregates, ...keyed }),
  z.strictObject({ type: z.literal("throttle"), everyMs: ms, ...keyed }),
  z.strictObject({ type: z.literal("debounce"), quietMs: ms, ...keyed }),
  /** Part 0 is the left side, part 1 the right one; each keeps at most so many that wait. */
  z.strictObject({
    type: z.literal("join"),
    withinMs: ms,
    keep: z.number().int().min(1).max(256),
    ...keyed,
  }),
]);

/** What one event gives to one window. */
export interface Contribution {
  readonly key: string;
  readonly part: number;
  /** One for each aggregate. */
  readonly values?: readonly number[];
  /** What a later match needs of the event: of `debounce` and `join`. */
  readonly kept?: Json;
}
