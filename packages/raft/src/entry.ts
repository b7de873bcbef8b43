/** One entry of the replicated log. Its first byte of `data` says what it is. */
export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
}

/**
 * First byte of `Entry.data`: nothing, a command of the state machine, a configuration, or a record of the log that the
 * state machine keeps for its host (rfc/0006).
 */
export const entryKind = { noop: 0, command: 1, configuration: 2, record: 3 } as const;
