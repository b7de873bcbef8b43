export { type DryRun, dryRun } from "./builtin/dry-run.ts";
export { restartDecision } from "./builtin/restart-policy.ts";
export { builtInRules } from "./builtin/rules.ts";
export { letterList } from "./dead-letters.ts";
export type {
  AppendResult,
  LoopDeadline,
  LoopEffect,
} from "./decision-effects.ts";
export { DecisionCore } from "./decision-loop.ts";
export { fold } from "./fold.ts";
export { type HangVerdict, judgePulse, type Pulse } from "./hang.ts";
export type { DeclaredEvent, DeclaredEvents, EventInput, Input, Reply } from "./intake.ts";
export type { Interruption } from "./interruption.ts";
export { type LeaseEffect, LeaseGrants, type LeaseState } from "./lease-grants.ts";
export type { AskedLease } from "./leases.ts";
export type { LoopStart } from "./loop-work.ts";
export { Plan } from "./plan.ts";
export { blobOf, isInForce, type RuleFileFailure, ruleFilesKey, versionOf } from "./rule-files.ts";
export {
  captureSnapshot,
  decodeSnapshot,
  encodeSnapshot,
  type Projections,
  projectionsOf,
} from "./snapshot.ts";
export { isSnapshotDue, type SnapshotDue } from "./snapshot-due.ts";
export { answerOf, firstObservation, type SourceAnswer, watermarkOf } from "./sources.ts";
export { type CoordinatorState, emptyState } from "./state.ts";
export { type RuleSet, type Stamp, type StepOptions, type StepResult, step } from "./step.ts";
