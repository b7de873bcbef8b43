import { agencyHandler, startMember } from "@halon/agency";
import { type OpenAgency, version } from "@halon/node/agency";
import type { AgencyOptions } from "./options.ts";

/** Opens a member, and the routes over it, for the process that `startAgencyNode` runs. */
export function openAgency({ node: _, ...settings }: AgencyOptions): OpenAgency {
  return async ({ dataDir, advertise, log, onEnd, onFault }) => {
    const member = await startMember({ ...settings, dataDir, advertise, log, onEnd });
    return {
      id: member.status.id,
      handle: agencyHandler(member, { ...settings, advertise, version, onFault }),
      accept: (ws) => member.accept(ws),
      notReady: () => {
        const { leaderId, reason, role } = member.status;
        return leaderId === null ? (reason ?? `it is ${role}, and there is no leader`) : null;
      },
      close: () => member.close(),
    };
  };
}
