export { AgentCore, agentTickMs } from "./agent.ts";
export type { AgentEffect, AgentReads } from "./agent-effects.ts";
export type {
  AskedLease,
  Attach,
  Attached,
  Refusal,
  Renew,
  Renewed,
  ReplicaDelta,
  ToAgent,
  ToTracker,
} from "./agent-messages.ts";
export { type BeatPlan, beatPlanOf, opinionAgeMs, type Sight } from "./beat-views.ts";
export { isPeer, lateHello, masterConfig, takeHello } from "./bootstrap.ts";
export { type HelloReply, joinStep } from "./bootstrap-join.ts";
export { freshSetup, relaunched, smallestAddress } from "./bootstrap-relaunch.ts";
export {
  addressOf,
  type CompleteSetup,
  contradictionIn,
  isComplete,
  isMaster,
  Setup,
  type SetupOptions,
  withConfig,
} from "./bootstrap-setup.ts";
export { CommandIntake, type CommandVerdict } from "./command-intake.ts";
export {
  EventQueue,
  eventsWaitingMax,
  type NodeEvent,
  type NumberedNodeEvent,
  presenceWaitingMax,
} from "./event-queue.ts";
export {
  type AskOpinions,
  type DetectorOutput,
  FailureDetector,
  type HeardBeat,
  type Observation,
  tickMs,
} from "./failure-detector.ts";
export {
  type ForeignAnswer,
  type ForeignEffect,
  type ForeignInstance,
  ForeignWatch,
} from "./foreign-watch.ts";
export { decodeRecords, encodeRecords, type FramedRecord } from "./journal-frame.ts";
export { heardEveryMs, LeaderCore, opinionMs } from "./leader.ts";
export { chooseLeader, type LeaderAnswers } from "./leader-choice.ts";
export type { LeaderEffect, LeaderReads, LostLeader } from "./leader-effects.ts";
export { type FollowEffect, LogFollower } from "./leader-log.ts";
export { LeaderSearch, lookEveryMs, type SearchEffect } from "./leader-search.ts";
export {
  type Lease,
  type LeaseEffect,
  LeaseRenewals,
  renewEveryMs,
  renewTimeoutMs,
} from "./lease-renewals.ts";
export { type PartCheck, type PartEffect, type PartName, PartsCore } from "./parts.ts";
export { clusterStatus, type Leadership, operationStatus } from "./status.ts";
export {
  afterEnd,
  firstSupervision,
  type NextStart,
  type Supervision,
  type ThreadEnd,
} from "./supervision.ts";
export { type SupervisorBeat, SupervisorWatch } from "./supervisor-watch.ts";
export { watchersOf } from "./watchers.ts";
