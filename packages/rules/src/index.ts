export { defineEvent, events } from "@halon/protocol";
export { z } from "zod";
export {
  indexRules,
  type Outcome,
  type RuleHost,
  type RuleIndex,
  type RuleTransaction,
  ruleGraph,
  runRules,
} from "./engine.ts";
export {
  type CommandContext,
  type DoContext,
  defineRules,
  on,
  type RequestOptions,
  type Rule,
  type RuleGraph,
  type Rules,
  type TimerContext,
  type WhereContext,
} from "./rule.ts";
