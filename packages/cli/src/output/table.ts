import Table from "cli-table3";

/** One column of a table. */
export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string | number | undefined;
  /** Only with `-o wide`. */
  readonly isWide?: boolean;
  /** Cut with … where the terminal is too narrow. */
  readonly canShrink?: boolean;
  readonly color?: (row: T) => (text: string) => string;
}

export interface TableOptions {
  /** Undefined: as wide as it gets. */
  readonly columns: number | undefined;
  readonly isWide: boolean;
}

const gap = 2;
const shrunkWidth = 12;

/** A table without borders that fits the terminal, unless its fixed columns alone do not. */
export function table<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  { columns: width, isWide }: TableOptions,
): string {
  const shown = columns.filter((column) => isWide || column.isWide !== true);
  const texts = rows.map((row) => shown.map((column) => cell(column.value(row))));
  const natural = shown.map((column, at) =>
    Math.max(column.title.length, ...texts.map((text) => text[at]?.length ?? 0)),
  );
  const widths = isWide || width === undefined ? natural : fitted(shown, natural, width);
  const drawn = new Table({
    chars: borderless,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    colAligns: shown.map((column) =>
      rows.length > 0 && rows.every((row) => typeof column.value(row) !== "string")
        ? "right"
        : "left",
    ),
  });
  drawn.push(shown.map((column) => column.title));
  for (const [index, row] of rows.entries()) {
    drawn.push(
      shown.map((column, at) => {
        const text = clip(texts[index]?.[at] ?? "", widths[at] ?? 0);
        return column.color?.(row)(text) ?? text;
      }),
    );
  }
  return drawn
    .toString()
    .split("\n")
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

/** Cuts a text to the width; the last character says that more was there. */
export function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Gives the columns that can shrink what the others leave. */
function fitted<T>(
  columns: readonly Column<T>[],
  natural: readonly number[],
  width: number,
): readonly number[] {
  const total = natural.reduce((sum, one) => sum + one, 0) + gap * (columns.length - 1);
  let excess = total - width;
  // The last column gives way first: it is the reason.
  return natural
    .toReversed()
    .map((one, at) => {
      const column = columns[columns.length - 1 - at];
      if (excess <= 0 || column?.canShrink !== true) return one;
      const least = Math.min(one, Math.max(column.title.length, shrunkWidth));
      const given = Math.min(excess, one - least);
      excess -= given;
      return one - given;
    })
    .toReversed();
}

/** A sentence of its own: indented, and further where it goes on in the next line. */
export function wrapped(text: string, width: number): string {
  const lines: string[] = [];
  let line = " ";
  for (const word of text.split(" ")) {
    if (line.trim() !== "" && line.length + 1 + word.length > Math.max(width, 40)) {
      lines.push(line);
      line = "   ";
    }
    line += ` ${word}`;
  }
  return [...lines, line].map((one) => `${one}\n`).join("");
}

function cell(value: string | number | undefined): string {
  return oneLine(String(value ?? ""));
}

/** One line, and nothing in it that a terminal would obey: reasons come from services. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\s]+/gu, " ");
}

const borderless = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: " ".repeat(gap),
};
