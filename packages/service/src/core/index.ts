export { lookEveryMs } from "./instance-checks.ts";
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
export { Site } from "./site.ts";
export type { Answer, RuntimeEvent, SiteEffect, Spawn } from "./site-effect.ts";
export type {
  ActionOf,
  AliveAnswer,
  ConfigOutcome,
  HealthAnswer,
  HeardEvent,
  HeldLease,
  InstanceEvent,
  InstanceSpec,
  ReconfigureAnswer,
  Sample,
  SiteOptions,
  StatusAnswer,
} from "./site-input.ts";
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
