import { entriesOf, type RaftLog } from "@halon/raft";
import { type Invariant, violated } from "./invariant.ts";

const writesMax = 20_000;
const waitingMax = 20_000;
/** Entries that may come while a snapshot is written to the slowest disk. */
const lagMax = 1_500;
/** The same of slots, which each take an entry; and entries of slots that are kept for their bytes. */
const hostLagMax = 3_000;

/** How many of the entries up to the index, from the newest on, have so many bytes. */
function countWithin(log: RaftLog, to: number, bytes: number): number {
  let count = 0;
  let left = bytes;
  for (const { data } of entriesOf(log, log.firstIndex, to).toReversed()) {
    left -= data.length;
    if (left < 0) break;
    count += 1;
  }
  return count;
}

/** I16: what a member keeps waiting stays below its bounds. I17: it has one tick under way. */
export function bounds(): Invariant {
  /** By member: the entries with which its present start began. One that crashes again and again saves no snapshot. */
  const found = new Map<string, { readonly incarnation: number; readonly entries: number }>();
  return {
    id: "I16",
    name: "bounds",
    afterStep(world, { member, after }) {
      const { lastIndex } = after.log;
      if (found.get(member.id)?.incarnation !== member.incarnation)
        found.set(member.id, {
          incarnation: member.incarnation,
          entries: lastIndex - member.shadow.baseIndex,
        });
      if (member.timers > 1) violated("I17", `${member.id} has ${member.timers} timers`);
      if (member.disk.pending.length > writesMax)
        violated("I16", `${member.id} has ${member.disk.pending.length} writes under way`);
      // The rest changes slowly.
      if ((world.events & 63) !== 0) return;
      for (const [id, { inflight }] of after.progress)
        if (inflight.length > after.options.inflightMax)
          violated("I16", `${member.id} has ${inflight.length} appends on their way to ${id}`);
      const waiting = member.process?.waitingCount ?? 0;
      if (waiting > waitingMax) violated("I16", `${waiting} requests wait at ${member.id}`);
      // Beside a member alone nobody saves what the slots have come to, so its snapshots do not cover them.
      if (world.cluster !== null && member.slot >= world.cluster.nodes.length) return;
      const { compactEntries, keepEntries, hosts, cluster } = world.scenario.settings;
      const kept = after.commitIndex - member.shadow.baseIndex;
      const foundHere = found.get(member.id)?.entries ?? 0;
      const keptMax = 4 * (compactEntries + keepEntries) + lagMax + foundHere;
      const hasSlots = hosts !== undefined || cluster !== undefined;
      const most = keptMax + (hasSlots ? hostLagMax : 0);
      if (kept <= most) return;
      // A snapshot is due when as many bytes have come as the last one has: a large one is not written over and over.
      const live = member.disk.snapshot.bytes.length;
      if (kept > most + countWithin(after.log, after.commitIndex, live))
        violated("I16", `${member.id} keeps ${kept} entries that are committed`);
    },
  };
}
