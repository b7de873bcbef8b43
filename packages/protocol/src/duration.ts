import { z } from "zod";

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `'500ms'`, `'10s'`, `'1m'`, `'2h'`, `'1d'`, or a number of milliseconds; parsed to milliseconds. */
export const Duration = z
  .union([z.number().int().min(0), z.string()])
  .transform((value, context) => {
    if (typeof value === "number") return value;
    const match = /^(\d{1,12})(ms|s|m|h|d)$/.exec(value);
    if (match === null) {
      context.addIssue({
        code: "custom",
        message: `expected a duration such as 500ms, 10s or 1m, got ${JSON.stringify(value)}`,
      });
      return z.NEVER;
    }
    return Number(match[1]) * unitMs[match[2] as keyof typeof unitMs];
  });
