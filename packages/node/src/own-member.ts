import { HalonError } from "@halon/protocol";
import type { CompleteSetup } from "./core/bootstrap-setup.ts";
import type { Identity } from "./identity.ts";
import { type MemberHost, startMemberThread } from "./member/host.ts";

export interface OwnMemberOptions {
  readonly setup: CompleteSetup;
  readonly dataDir: string;
  readonly identity: Pick<Identity, "endpoint" | "clusterId">;
  /** The other tracking nodes. */
  readonly peers: CompleteSetup["peers"];
  readonly log: (line: string) => void;
  /** The member is gone and does not come back. */
  readonly onEnd: (error: HalonError) => void;
}

/** Starts the member of the agency that keeps the log of this tracking node's cluster. */
export function startOwnMember(options: OwnMemberOptions): Promise<MemberHost> {
  const { setup, dataDir, identity, peers, log, onEnd } = options;
  const { endpoint, clusterId } = identity;
  const founders = [{ id: setup.id, address: endpoint }, ...peers];
  return startMemberThread({
    dataDir,
    advertise: endpoint,
    member: {
      id: memberIdOf(setup),
      cluster: clusterId,
      founders: Object.fromEntries(founders.map((peer) => [memberIdOf(peer), peer.address])),
    },
    agencySize: setup.agencySize,
    log,
    onEnd: (reason) =>
      onEnd(new HalonError("HAL_STORE_FAILED", `The agency's member has ended: ${reason}`)),
  });
}

export function memberIdOf({ id }: { readonly id: string }): string {
  return `AGNT-${id}`;
}
