/** Bounds of a request (RFC 0005, "Limits"). Bytes are those of UTF-8. */
export const limits = {
  transactionsMax: 20_000,
  /** Paths read, operations and preconditions of one request. */
  pathsMax: 100_000,
  pathBytesMax: 65_536,
  /** A path's segments, and the levels of a value once its keys are split: neither can nest deeper. */
  levelsMax: 64,
  clientIdBytesMax: 1024,
} as const;

/** A request that cannot be carried out as it stands; the message is for the client. */
export class Malformed extends Error {}
