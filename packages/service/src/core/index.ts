export {
  advance,
  type Cause,
  type DeadlineEvent,
  type LifecycleEffect,
  type LifecycleEvent,
  type LifecycleInput,
  type LifecycleSnapshot,
  type LifecycleState,
  start,
  stateOf,
} from "./lifecycle.ts";
export {
  type Bounds,
  type CheckOutcome,
  type CheckSchedule,
  firstCheck,
  judge,
  judgeChecks,
  judgeLiveness,
  nextCheck,
  type Observation,
} from "./supervision.ts";
