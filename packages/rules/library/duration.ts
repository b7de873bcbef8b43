import { z } from "@halon/rules";

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** An option that is a time: `500ms`, `10s`, `1m`, `2h` or `1d`. */
export const Time = z
  .string()
  .regex(/^[1-9]\d{0,8}(ms|s|m|h|d)$/, "expected a time such as 500ms, 10s, 1m, 2h or 1d");

/** The time in ms. */
export function msOf(time: string): number {
  const [, number = "", unit = ""] = /^(\d+)(\w+)$/.exec(time) ?? [];
  return Number(number) * (unitMs[unit] ?? 0);
}
