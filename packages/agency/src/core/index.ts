export { isSnapshotDue, type SinceSnapshot } from "./compaction.ts";
export type { ReplicaEffect } from "./effect.ts";
export type { Clock, ReplicaInput } from "./input.ts";
export { Replica, type ReplicaOptions, type ReplicaStart } from "./replica.ts";
export type { AgencyAnswer, AgencyRequest, WriteMode } from "./request.ts";
export { commitTimeoutMs } from "./waiting.ts";
