export { type DryRun, dryRun } from "./builtin/dry-run.ts";
export { restartDecision } from "./builtin/restart-policy.ts";
export { builtInRules } from "./builtin/rules.ts";
export { fold } from "./fold.ts";
export { type HangVerdict, judgePulse, type Pulse } from "./hang.ts";
export type { DeclaredEvents, EventInput, Input, Reply } from "./intake.ts";
export { captureSnapshot, decodeSnapshot, encodeSnapshot } from "./snapshot.ts";
export { type CoordinatorState, emptyState } from "./state.ts";
export { type RuleSet, type Stamp, type StepResult, step } from "./step.ts";
