/**
 * Paths that accepted RFCs and root scripts name before they exist.
 *
 * An entry that exists fails the tests, so the list only shrinks.
 */
export const stillToCome: readonly string[] = [];
