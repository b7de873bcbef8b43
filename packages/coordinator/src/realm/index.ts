export { runWithin } from "./deadline.ts";
export { hardenThread } from "./harden.ts";
export { loadRuleScript } from "./load.ts";
export { ProgressWriter } from "./progress.ts";
export type { RuleScript } from "./rule-script.ts";
