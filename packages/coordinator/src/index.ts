export { type Blobs, openBlobs } from "./blob/open.ts";
export type { EventInput, Reply } from "./core/index.ts";
export type { AskedLease } from "./core/leases.ts";
export { entriesOf, type HistoryQuery } from "./history.ts";
export { type CoordinatorHost, type CoordinatorNews, startCoordinator } from "./host.ts";
export type { PlanRequest } from "./plan/make.ts";
export type { CoordinatorData, JournalRecord, NumberedEvent, StoreData } from "./thread/wire.ts";
export { trace, traceFailures, traceReport, traceStarts } from "./trace.ts";
export type { Suspect } from "./watchdog.ts";
