export { isLoopback } from "./admit.ts";
export {
  type Client,
  createClient,
  type EventFilter,
  type NodeAction,
  type ServiceAction,
  type Waiting,
} from "./client.ts";
export { deadlineWithin } from "./deadline.ts";
export { type ErrorBody, errorBodyOf } from "./error-body.ts";
export { defaultLimits, type Limits } from "./limits.ts";
export { type Listener, type ListenOptions, listen } from "./listen.ts";
export { type ClusterPlan, type PlanEntry, planOf } from "./plan.ts";
export type { PlannedRule } from "./plan-rules.ts";
export type {
  ApiPorts,
  EventCursor,
  EventQuery,
  GraphFormat,
  HelloAnswer,
  NodeIdentity,
  RuleEntry,
  RuleFileView,
  Staleness,
  StartDryRun,
} from "./ports.ts";
export { runsOf } from "./processor-view.ts";
export { originOf, type TransportOptions } from "./transport.ts";
export type { NodeView, ResourceView, ServiceView } from "./view.ts";
