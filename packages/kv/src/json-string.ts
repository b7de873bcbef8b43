/** Characters of a JSON string that stand for themselves: no quote, backslash, control character or surrogate. */
const plainRun = /[ !#-[\]-\ud7ff\ue000-\uffff]*/y;

/** The same, and quotes. */
const plainText = /[ -[\]-\ud7ff\ue000-\uffff]*/y;

/** All but control characters and surrogates. */
const printableRun = /[ -\ud7ff\ue000-\uffff]*/y;

/** Up to this length a look at the whole text is cheaper than one at each string. */
const shortTextMax = 1024;

const surrogate = /[\ud800-\udfff]/;

const backslash = 0x5c;

/** Slices of fewer units than this are copies in V8; longer ones refer to the text that they come from. */
const sliceCopiedMax = 12;

/** Whether the text is short and all its strings reach from one quote to the next, with nothing to check between. */
export function isShortAndPlain(text: string): boolean {
  if (text.length > shortTextMax) return false;
  plainText.lastIndex = 0;
  plainText.test(text);
  return plainText.lastIndex === text.length;
}

/** Whether there are surrogates in the text, in pairs or alone. */
export function hasSurrogates(text: string): boolean {
  // V8 knows without looking that a text of one-byte characters has none.
  return surrogate.test(text);
}

/**
 * The string between the quotes at `start - 1` and `end`, of a text without surrogates.
 *
 * Undefined when it is none, or has to be read more closely to tell.
 */
export function simpleString(text: string, start: number, end: number): string | undefined {
  if (end - start > sliceCopiedMax) {
    // After a backslash the quote may belong to the string; after `\u` half of a surrogate pair may stand.
    if (text.charCodeAt(end - 1) === backslash) return undefined;
    const quoted = text.slice(start - 1, end + 1);
    if (quoted.includes("\\u")) return undefined;
    try {
      return JSON.parse(quoted) as string;
    } catch {
      // Whoever reads more closely says where it goes wrong.
      return undefined;
    }
  }
  for (let at = start; at < end; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code === backslash) return undefined;
  }
  return text.slice(start, end);
}

/** Where the first character from `offset` stands that ends a plain run. */
export function endOfPlainRun(text: string, offset: number): number {
  plainRun.lastIndex = offset;
  plainRun.test(text);
  return plainRun.lastIndex;
}

/**
 * The string between the quotes at `start - 1` and `end`, which has been checked.
 *
 * It keeps at most two units of the text alive for each of its own. A slice would keep all of it, so a short value
 * would hold on to a body of megabytes; `JSON.parse` copies, and is the cheapest way to a flat copy.
 */
export function stringBetween(
  text: string,
  start: number,
  end: number,
  hasEscapes: boolean,
): string {
  return hasEscapes || (end - start > sliceCopiedMax && text.length > 2 * (end - start))
    ? (JSON.parse(text.slice(start - 1, end + 1)) as string)
    : text.slice(start, end);
}

/** Up to this length one look at each character is cheaper than three at all of them. */
const lookedAtOnceMax = 64;

/** The JSON text of a string, which refers to the string where it can. */
export function quoted(text: string): string {
  return isPlain(text) ? `"${text}"` : JSON.stringify(text);
}

function isPlain(text: string): boolean {
  if (text.length <= lookedAtOnceMax) return endOfPlainRun(text, 0) === text.length;
  printableRun.lastIndex = 0;
  printableRun.test(text);
  return printableRun.lastIndex === text.length && !text.includes('"') && !text.includes("\\");
}
