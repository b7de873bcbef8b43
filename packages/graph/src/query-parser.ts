import { HalonError } from "@halon/protocol";

/** `KIND[attribute=value,…]`, with where each part stands in the text. */
export interface Selector {
  readonly kind: string;
  readonly position: number;
  readonly filters: readonly Filter[];
}

export interface Filter {
  readonly attribute: string;
  readonly value: string;
  readonly position: number;
}

/** `out` for `-relation->`, `in` for `<-relation-`. */
export interface Step {
  readonly direction: "out" | "in";
  readonly relation: string;
  readonly position: number;
  readonly to: Selector;
}

export interface Query {
  readonly first: Selector;
  readonly steps: readonly Step[];
}

const lengthMax = 4_096;
const selectorsMax = 16;

/** Throws HAL_BAD_REQUEST with the position, counted from 1, and what was expected there. */
export function parseQuery(text: string): Query {
  if (text.length > lengthMax) {
    throw new HalonError(
      "HAL_BAD_REQUEST",
      `A query has at most ${lengthMax} characters, got ${text.length}.`,
    );
  }
  const scanner = new Scanner(text);
  const first = parseSelector(scanner);
  const steps: Step[] = [];
  while (!scanner.isAtEnd()) {
    if (steps.length + 1 === selectorsMax) {
      throw scanner.error(`the end of the query, which has at most ${selectorsMax} kinds`);
    }
    steps.push(parseStep(scanner));
  }
  return { first, steps };
}

function parseStep(scanner: Scanner): Step {
  const direction = scanner.take(/<-/y) !== undefined ? "in" : "out";
  if (direction === "out") scanner.expect(/-/y, "-relation->, <-relation- or the end of the query");
  const position = scanner.position();
  const relation = scanner.expect(/[A-Za-z][A-Za-z0-9]*/y, "the name of a relation");
  if (direction === "out") scanner.expect(/->/y, `-> after ${relation}`);
  else scanner.expect(/-/y, `- after ${relation}`);
  return { direction, relation, position, to: parseSelector(scanner) };
}

function parseSelector(scanner: Scanner): Selector {
  const position = scanner.position();
  const kind = scanner.expect(/[A-Z][A-Za-z0-9]*/y, "a kind such as Node");
  if (scanner.take(/\[/y) === undefined) return { kind, position, filters: [] };
  const filters = [parseFilter(scanner)];
  while (scanner.take(/,/y) !== undefined) filters.push(parseFilter(scanner));
  scanner.expect(/\]/y, ", or ]");
  return { kind, position, filters };
}

function parseFilter(scanner: Scanner): Filter {
  const position = scanner.position();
  const attribute = scanner.expect(/[A-Za-z_][A-Za-z0-9_-]*/y, "the name of an attribute");
  scanner.expect(/=/y, `= after ${attribute}`);
  return { attribute, value: parseValue(scanner), position };
}

function parseValue(scanner: Scanner): string {
  // As JSON writes a text, so that parsing what was taken cannot fail.
  const quoted = scanner.take(/"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy);
  if (quoted !== undefined) return String(JSON.parse(quoted));
  return scanner
    .expect(/[^\s",[\]][^",[\]]*/y, 'a value, as JSON writes a text if it holds , [ ] or "')
    .trim();
}

/** A place in the text that only goes on; blanks between parts do not count. */
class Scanner {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(pattern: RegExp): string | undefined {
    this.#skipBlanks();
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.#text)?.[0];
    this.#offset += found?.length ?? 0;
    return found;
  }

  expect(pattern: RegExp, expected: string): string {
    const found = this.take(pattern);
    if (found === undefined) throw this.error(expected);
    return found;
  }

  isAtEnd(): boolean {
    this.#skipBlanks();
    return this.#offset === this.#text.length;
  }

  position(): number {
    this.#skipBlanks();
    return this.#offset + 1;
  }

  error(expected: string, position = this.position()): HalonError {
    const rest = this.#text.slice(position - 1, position + 19);
    const found = rest === "" ? "the end" : JSON.stringify(rest);
    return new HalonError(
      "HAL_BAD_REQUEST",
      `The query is wrong at position ${position}: expected ${expected}, found ${found}.`,
      { details: { position, expected } },
    );
  }

  #skipBlanks(): void {
    while (/\s/.test(this.#text.charAt(this.#offset))) this.#offset += 1;
  }
}
