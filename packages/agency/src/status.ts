import { transactionAt } from "./core/log-view.ts";
import type { Replica } from "./core/replica.ts";
import { tickMs } from "./driver.ts";
import type { Identity } from "./identity.ts";
import type { MemberStatus } from "./member.ts";

/** How a member shows itself. */
export function statusOf(
  identity: Identity,
  setting: {
    readonly startup: MemberStatus["startup"];
    readonly compactionStep: number;
    readonly pool: Readonly<Record<string, string>>;
  },
  replica: Replica | null,
  idle: {
    readonly role: "discovering" | "waiting" | "unavailable";
    readonly reason: string | null;
  },
): MemberStatus {
  const { id, cluster, version } = identity;
  const raft = replica?.raft ?? null;
  const configuration = raft?.configuration ?? null;
  const lastCompactionAt = replica?.snapshotAt ?? 0;
  const pool =
    configuration === null || configuration.members.length === 0
      ? Object.entries(setting.pool)
      : configuration.members.map(({ id, address }) => [id, address] as const);
  return {
    id,
    role: raft?.role ?? idle.role,
    reason: raft === null ? idle.reason : null,
    term: raft?.currentTerm ?? 0,
    leaderId: raft?.leaderId ?? null,
    commitIndex: replica?.committed.index ?? 0,
    lastCompactionAt,
    nextCompactionAfter: lastCompactionAt + setting.compactionStep,
    lastAcked: replica === null ? null : lastAckedOf(replica),
    configuration,
    pool: new Map(pool),
    cluster,
    startup: setting.startup,
    timeoutMult: raft?.timeoutMult ?? 1,
    version,
  };
}

function lastAckedOf(replica: Replica): MemberStatus["lastAcked"] {
  const { raft, sequenced, committed } = replica;
  if (raft.role !== "leader") return null;
  const newest = { raftIndex: raft.log.lastIndex, transaction: (sequenced ?? committed).index };
  const own = { ackedMs: 0, index: newest.transaction, appendMs: null };
  const acked = new Map<string, { ackedMs: number; index: number; appendMs: number | null }>();
  for (const { id } of raft.configuration.members) {
    const progress = raft.progress.get(id);
    if (id === raft.id) acked.set(id, own);
    if (id === raft.id || progress === undefined) continue;
    const { matchIndex, ackTick, appendTick } = progress;
    acked.set(id, {
      ackedMs: Math.max(0, raft.now - ackTick) * tickMs,
      index: transactionAt(raft.log, matchIndex, newest),
      appendMs: Math.max(0, raft.now - appendTick) * tickMs,
    });
  }
  return acked;
}
