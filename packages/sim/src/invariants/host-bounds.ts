import { type Invariant, violated } from "./invariant.ts";

/** Slots that may come while a snapshot is written to the slowest disk. */
const lagMax = 3_000;
const snapshotsMax = 3;

/** I25: a member keeps no more slots in memory than came since its host's last snapshots. */
export function hostBounds(): Invariant {
  return {
    id: "I25",
    name: "bounds of slots",
    afterStep({ scenario }, { member }) {
      const host = member.process?.host ?? null;
      const { hosts, cluster } = scenario.settings;
      const snapshotSlots = hosts?.snapshotSlots ?? cluster?.snapshotRecords;
      if (host === null || snapshotSlots === undefined) return;
      if (host.heldSlots > 4 * snapshotSlots + lagMax)
        violated("I25", `${member.id} holds ${host.heldSlots} slots`);
      if (host.askedSnapshots > snapshotsMax)
        violated("I25", `${host.askedSnapshots} host snapshots wait at ${member.id}`);
    },
  };
}
