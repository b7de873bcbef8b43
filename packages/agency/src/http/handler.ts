import type { IncomingMessage, ServerResponse } from "node:http";
import type { Member, MemberOptions } from "../member.ts";

/** What the routes show beside the member's own status, and where they report bugs. */
export interface AgencyHttpOptions
  extends Pick<
    MemberOptions,
    | "advertise"
    | "agencySize"
    | "electionMinMs"
    | "electionMaxMs"
    | "compactionStep"
    | "compactionKeep"
  > {
  /** Of the product. */
  readonly version: string;
  /** Told of bugs, which the client sees only as 500. */
  readonly onFault: (error: unknown) => void;
}

/** Answers a request if its path is one of the agency's; false: it is not, and nothing was done. */
export type AgencyHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * The routes of the agency over a member (rfc/0005): `/_api/agency/*`, the same below `/_db/_system`,
 * `/_api/agency_priv/gossip` and `/v1/agency/*`.
 */
export function agencyHandler(_member: Member, _options: AgencyHttpOptions): AgencyHandler {
  throw new Error("not built");
}
