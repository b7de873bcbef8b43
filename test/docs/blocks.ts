/** A fenced block of a page. */
export interface Block {
  /** `ts`, `console`, … */
  readonly language: string;
  /** Of `file=`: where the text belongs. */
  readonly file: string | undefined;
  readonly text: string;
  /** Of its first line in the page, from 1. */
  readonly line: number;
  /** The nearest heading above it. */
  readonly heading: string;
}

/** The fenced blocks of a Markdown page, in order. */
export function blocksOf(markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  let heading = "";
  let open: { readonly info: string; readonly line: number; readonly lines: string[] } | undefined;
  for (const [number, line] of markdown.split("\n").entries()) {
    if (line.startsWith("```") && open === undefined) {
      open = { info: line.slice(3), line: number + 2, lines: [] };
    } else if (line.startsWith("```") && open !== undefined) {
      const [language = "", ...more] = open.info.split(" ");
      const file = more.find((each) => each.startsWith("file="))?.slice(5);
      const text = open.lines.map((each) => `${each}\n`).join("");
      blocks.push({ language, file, text, line: open.line, heading });
      open = undefined;
    } else if (open !== undefined) {
      open.lines.push(line);
    } else if (/^#+ /.test(line)) {
      heading = line.replace(/^#+ /, "");
    }
  }
  if (open !== undefined) throw new Error(`the block of line ${open.line} does not end`);
  return blocks;
}

/** A command of a `console` block, and what the page says that it prints. */
export interface Typed {
  readonly command: string;
  readonly printed: readonly string[];
}

export function typedIn(block: Block): readonly Typed[] {
  const typed: { command: string; printed: string[] }[] = [];
  for (const line of block.text.split("\n").slice(0, -1)) {
    const last = typed.at(-1);
    if (line.startsWith("$ ")) typed.push({ command: line.slice(2), printed: [] });
    else if (last === undefined) throw new Error(`line ${block.line}: no command before ${line}`);
    else last.printed.push(line);
  }
  return typed;
}

/**
 * The first line of a page that is not printed in its place; null when all are.
 *
 * `...` stands for any lines. Ids, times of the day, positions in the log, the width of columns and where a text is cut off
 * may differ.
 */
export function missingLine(printed: readonly string[], output: string): string | null {
  const lines = output.split("\n").map(comparable);
  if (lines.at(-1) === "") lines.pop();
  let at = 0;
  let isFree = false;
  for (const line of printed) {
    if (line === "...") {
      isFree = true;
      continue;
    }
    const wanted = comparable(line);
    const found = lines.findIndex((each, index) => index >= at && isSame(each, wanted));
    if (found < 0 || (!isFree && found > at)) return line;
    at = found + 1;
    isFree = false;
  }
  return isFree || at === lines.length ? null : `the end, not: ${lines[at]}`;
}

/** A column gives way to what stands beside it: a text of it ends a little earlier or later. */
function isSame(one: string, other: string): boolean {
  if (!one.endsWith("…") || !other.endsWith("…")) return one === other;
  const length = Math.min(one.length, other.length) - 1;
  const difference = Math.abs(one.length - other.length);
  return difference <= 4 && one.slice(0, length) === other.slice(0, length);
}

function comparable(line: string): string {
  return line
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "ID")
    .replace(/\b\d\d:\d\d:\d\d\.\d\d\d\b/g, "TIME")
    .replace(/^\d+\.\d+ /, "POSITION ")
    .replace(/^index: \d+$/, "index: INDEX")
    .replace(/\b\d+-(\d+)-request\b/, "POSITION-$1-request")
    .replace(/\s+/g, " ")
    .trim();
}
