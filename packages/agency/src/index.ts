export { failpoint } from "./failpoint.ts";
export type { Entry, HardState, Log, LogOptions, Snapshot, SnapshotPoint } from "./log.ts";
export type { LogFile, LogFs } from "./log-fs.ts";
export { openLog } from "./open-log.ts";
