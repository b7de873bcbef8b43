/** Characters of a JSON string that stand for themselves: no quote, backslash, control character or surrogate. */
const plainRun = /[ !#-[\]-\ud7ff\ue000-\uffff]*/y;

/** The same, and quotes. */
const plainText = /[ -[\]-\ud7ff\ue000-\uffff]*/y;

/** Slices of fewer units than this are copies in V8; longer ones refer to the text that they come from. */
const sliceCopiedMax = 12;

/** Whether all strings of a JSON text reach from one quote to the next, with nothing to check between. */
export function hasPlainStrings(text: string): boolean {
  plainText.lastIndex = 0;
  plainText.test(text);
  return plainText.lastIndex === text.length;
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
  if (hasEscapes || (end - start > sliceCopiedMax && text.length > 2 * (end - start))) {
    return JSON.parse(text.slice(start - 1, end + 1)) as string;
  }
  return text.slice(start, end);
}
