export { defineEvent, events } from "@halon/protocol";
export { and, assign, not, or, raise, setup, stateIn } from "xstate";
export { z } from "zod";
export { alertsOf, forgetAlert } from "./alerts.ts";
export { checkInvariant, type InvariantCheck } from "./check-invariant.ts";
export {
  type CompiledInvariant,
  type CompiledRule,
  indexRules,
  keptCode,
  type LoadedFile,
  type RuleIndex,
} from "./compiled.ts";
export { defineRules } from "./define-rules.ts";
export { type Outcome, runDue, runRules } from "./engine.ts";
export type { RuleHost, RuleTransaction } from "./host.ts";
export { defineInvariant } from "./invariant.ts";
export { checkMachine } from "./job/check-machine.ts";
export {
  awaited,
  by,
  callAwaited,
  type EffectContext,
  effect,
  type JobCancel,
  type JobEvent,
  type JobRequest,
  runAwaited,
  type StatechartRule,
  statechart,
} from "./job/statechart.ts";
export { releaseVersion } from "./job/version.ts";
export { type DueMatch, type MatcherCount, Matching, type SavedMatching } from "./matching.ts";
export { type ConfiguredFile, rulesOf } from "./options.ts";
export type { Match } from "./pattern/match.ts";
export {
  type Aggregate,
  absence,
  aggregate,
  all,
  count,
  debounce,
  join,
  type KeyOptions,
  type NoEvent,
  type Pattern,
  type Span,
  sequence,
  session,
  sliding,
  throttle,
  tumbling,
} from "./pattern/patterns.ts";
export {
  type NodeContext,
  type NodeRule,
  type NodeRulesOptions,
  type NodeWhereContext,
  onNode,
} from "./processor/node-rules.ts";
export {
  type AlertContext,
  type CallOptions,
  type CommandContext,
  type DoContext,
  type JobContext,
  on,
  type RequestOptions,
  type Rule,
  type RuleGraph,
  type Rules,
  type RunOptions,
  type StepRule,
  type TimerContext,
  type WhereContext,
} from "./rule.ts";
export { ruleGraph } from "./rule-graph.ts";
