export {
  type AgencyClient,
  type AgencyReply,
  createAgencyClient,
  type WriteInput,
  type Written,
} from "./client.ts";
export type { Gossip, GossipAnswer } from "./core/gossip.ts";
export type { LoggedTransaction } from "./core/logged.ts";
export type { AgencyAnswer, AgencyRequest, WriteMode } from "./core/request.ts";
export { failpoint } from "./failpoint.ts";
export type { HostAppended, HostLog, HostLogStatus, HostSlot } from "./host-log.ts";
export { connectHostLog, type HostLogClient } from "./host-log-wire/client.ts";
export { serveHostLog } from "./host-log-wire/server.ts";
export { type AgencyHttpOptions, agencyHandler } from "./http/handler.ts";
export { verifySnapshot } from "./http/snapshot-body.ts";
export type { Entry, HardState, Log, LogOptions, Snapshot, SnapshotPoint } from "./log.ts";
export type { LogFile, LogFs } from "./log-fs.ts";
export type { Member, MemberOptions, MemberStatus } from "./member.ts";
export { rebuild, restoreSnapshot } from "./offline.ts";
export { openLog } from "./open-log.ts";
export { startMember } from "./start-member.ts";
