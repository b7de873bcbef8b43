import picocolors from "picocolors";
import { stringify } from "yaml";
import type { Io } from "../io.ts";
import { type Column, table } from "./table.ts";

export const formats = ["table", "wide", "json", "ndjson", "yaml", "name"] as const;
export type Format = (typeof formats)[number];

/** How a command shows its data. */
export interface Printer {
  readonly format: Format;
  readonly colors: ReturnType<typeof picocolors.createColors>;
  /** A list: a table, or data. */
  list<T>(columns: readonly Column<T>[], rows: readonly T[], name: (row: T) => string): void;
  /** One thing: YAML for people, or data. */
  one(value: unknown, name: string): void;
  /** A table that stands beside others; nothing in the formats for programs. */
  text(text: string): void;
  /** Talk on stderr; silent with `-q`. */
  say(text: string): void;
}

export interface PrintOptions {
  readonly format: Format;
  readonly isQuiet: boolean;
  readonly hasColor: boolean;
}

export function createPrinter(io: Io, { format, isQuiet, hasColor }: PrintOptions): Printer {
  const isTable = format === "table" || format === "wide";
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  const line = (value: unknown) => `${JSON.stringify(value)}\n`;
  return {
    format,
    colors: picocolors.createColors(hasColor),
    list: (columns, rows, name) => {
      if (isTable) {
        const isWide = format === "wide";
        io.out(table(columns, rows, { columns: Math.max(io.columns, 40), isWide }));
      } else if (format === "json") io.out(json(rows));
      else if (format === "yaml") io.out(stringify(rows));
      else io.out(rows.map((row) => (format === "name" ? `${name(row)}\n` : line(row))).join(""));
    },
    one: (value, name) => {
      if (isTable || format === "yaml") io.out(stringify(value));
      else if (format === "json") io.out(json(value));
      else io.out(format === "name" ? `${name}\n` : line(value));
    },
    text: (text) => io.out(text),
    say: (text) => {
      if (!isQuiet) io.err(`${text}\n`);
    },
  };
}

/** `3m`, `2h`, `5d`: how long ago, in the largest unit that is at least one. */
export function ageOf(since: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1_000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
