export type { AgencyAnswer, AgencyRequest, WriteMode } from "./core/request.ts";
export { failpoint } from "./failpoint.ts";
export type { Entry, HardState, Log, LogOptions, Snapshot, SnapshotPoint } from "./log.ts";
export type { LogFile, LogFs } from "./log-fs.ts";
export type {
  Gossip,
  GossipAnswer,
  LoggedTransaction,
  Member,
  MemberOptions,
  MemberStatus,
} from "./member.ts";
export { rebuild, restoreSnapshot } from "./offline.ts";
export { openLog } from "./open-log.ts";
export { startMember } from "./start-member.ts";
