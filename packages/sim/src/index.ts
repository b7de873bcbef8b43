export type { Asked } from "./cluster/wishes.ts";
export { type Counters, rareStates } from "./counters.ts";
export type { Invariant, InvariantId } from "./invariants/invariant.ts";
export {
  type Assignment,
  checkLinearizable,
  type Operation,
  type Outcome as OperationOutcome,
  type Verdict,
} from "./linearizability.ts";
export { type PlanOptions, planOf } from "./plan.ts";
export type { StepFunction } from "./process.ts";
export { type Outcome, type RunOptions, run, type Violation } from "./run.ts";
export type { ClientRequest, Fault, Scenario, Settings, Target } from "./scenario.ts";
export { type ShrinkOptions, shrink } from "./shrink.ts";
export { createStage, type Stage } from "./stage.ts";
export type { DecidedEvent, Fired, Life, Observed } from "./stage-notes.ts";
export type { StageOptions } from "./stage-scenario.ts";
