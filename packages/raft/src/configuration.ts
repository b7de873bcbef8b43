/** A member's id, for ever: one that lost its disk comes back under another id (Raft §5.1, votedFor). */
export type MemberId = string;

export interface Member {
  readonly id: MemberId;
  /** `host:port` where its peers and clients reach it; of no meaning to consensus. */
  readonly address: string;
}

/**
 * Who takes part. All lists are sorted by id.
 *
 * While `outgoing` is not empty the configuration is joint: elections and commits need a majority of `voters`
 * and one of `outgoing` (Raft §6). A configuration counts from the moment it is in the log, committed or not.
 */
export interface Configuration {
  readonly members: readonly Member[];
  readonly voters: readonly MemberId[];
  /** Voters of the configuration that is being left. */
  readonly outgoing: readonly MemberId[];
  /** They get entries and do not count. */
  readonly learners: readonly MemberId[];
}

/** What an operator asks for; all of it takes place at once, through one joint configuration. */
export interface MemberChange {
  /** New members, as learners or (when caught up is not needed) as voters; a known id gets the new address. */
  readonly add?: readonly (Member & { readonly voter: boolean })[];
  /** Learners that are to vote. Refused while they are more than `promoteLagMax` entries behind. */
  readonly promote?: readonly MemberId[];
  readonly remove?: readonly MemberId[];
}
