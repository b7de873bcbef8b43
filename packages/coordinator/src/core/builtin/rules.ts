import { defineRules, type Rules } from "@halon/rules";
import { applyRules } from "./apply-rules.ts";
import { commandRules } from "./command-rules.ts";
import { nodeRules } from "./node-rules.ts";
import { requestRules } from "./request-rules.ts";
import { serviceRules } from "./service-rules.ts";

/** The rules that every cluster has; they act before those of rule files. */
export const builtInRules: Rules = defineRules({
  ...nodeRules,
  ...serviceRules,
  ...commandRules,
  ...requestRules,
  ...applyRules,
});
