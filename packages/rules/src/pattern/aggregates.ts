import type { AggregateDescription } from "@halon/protocol";
import type { Windows } from "./windows.ts";

/** Numbers that a set of aggregates takes: how many events, then one for each. */
export function widthOf(aggregates: readonly AggregateDescription[]): number {
  return 1 + aggregates.length;
}

/** Adds one event to the aggregates that begin at `from`. */
export function addTo(
  windows: Windows,
  slot: number,
  from: number,
  aggregates: readonly AggregateDescription[],
  values: readonly number[],
): void {
  const count = windows.get(slot, from);
  windows.set(slot, from, count + 1);
  aggregates.forEach(({ type }, index) => {
    const position = from + 1 + index;
    const value = values[index] ?? 0;
    const before = windows.get(slot, position);
    windows.set(slot, position, count === 0 ? value : joined(type, before, value));
  });
}

/** Two parts of one window put together; `later` is the newer one. */
function joined(type: AggregateDescription["type"], before: number, later: number): number {
  switch (type) {
    case "min":
      return Math.min(before, later);
    case "max":
      return Math.max(before, later);
    case "last":
      return later;
    case "count":
    case "sum":
    case "mean":
      return before + later;
  }
}

/** The aggregates of several parts, given in the order of time by where each begins. */
export function readFrom(
  windows: Windows,
  slot: number,
  parts: readonly number[],
  aggregates: readonly AggregateDescription[],
): { readonly count: number; readonly values: Readonly<Record<string, number>> } {
  const filled = parts.filter((from) => windows.get(slot, from) > 0);
  const count = filled.reduce((sum, from) => sum + windows.get(slot, from), 0);
  const values = aggregates.map(({ name, type }, index) => {
    const [first, ...rest] = filled.map((from) => windows.get(slot, from + 1 + index));
    const total = rest.reduce((before, later) => joined(type, before, later), first ?? 0);
    if (type === "count") return [name, count] as const;
    return [name, type === "mean" ? total / count : total] as const;
  });
  return { count, values: Object.fromEntries(values) };
}
