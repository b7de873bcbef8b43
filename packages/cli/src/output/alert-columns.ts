import type { AlertEntry } from "@halon/protocol";
import { ageOf, type Printer } from "./print.ts";
import type { Column } from "./table.ts";

export function alertColumns(
  colors: Printer["colors"],
  now: number,
): readonly Column<AlertEntry>[] {
  const colorOf = { critical: colors.red, warning: colors.yellow, info: (text: string) => text };
  return [
    {
      title: "SEVERITY",
      value: ({ severity }) => severity,
      color: ({ severity }) => colorOf[severity],
    },
    { title: "ALERT", value: ({ alert }) => alert, canShrink: true },
    { title: "SINCE", value: ({ since }) => ageOf(since, now) },
    { title: "COUNT", value: ({ count }) => count, isWide: true },
    { title: "RULE", value: ({ rule }) => rule, isWide: true },
    { title: "TEXT", value: ({ text }) => text, canShrink: true },
  ];
}
