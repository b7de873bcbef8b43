import { defineRules, type Rules } from "@halon/rules";
import { applyRules } from "./apply-rules.ts";
import { breakerRules } from "./breaker-rules.ts";
import { callRules } from "./call-rules.ts";
import { commandRules } from "./command-rules.ts";
import { configurationRules } from "./configuration-rules.ts";
import { deadLetterRules } from "./dead-letter-rules.ts";
import { doubtRules } from "./doubt-rules.ts";
import { exclusiveRules } from "./exclusive-rules.ts";
import { invariantRules } from "./invariant-rules.ts";
import { moveRules } from "./move-rules.ts";
import { nodeModeRules } from "./node-mode-rules.ts";
import { recoveryRules } from "./node-recovery.ts";
import { nodeRules } from "./node-rules.ts";
import { partRules } from "./part-rules.ts";
import { processorRules } from "./processor-rules.ts";
import { requestRules } from "./request-rules.ts";
import { ruleFileRules } from "./rule-file-rules.ts";
import { runRules } from "./run-rules.ts";
import { serviceRules } from "./service-rules.ts";
import { supervisionRules } from "./supervision-rules.ts";
import { troubleRules } from "./trouble-rules.ts";

/** The rules that every cluster has; they act before those of rule files. */
export const builtInRules: Rules = defineRules({
  ...exclusiveRules,
  ...nodeRules,
  ...serviceRules,
  ...configurationRules,
  ...troubleRules,
  ...commandRules,
  ...requestRules,
  ...moveRules,
  ...applyRules,
  ...partRules,
  ...processorRules,
  ...nodeModeRules,
  ...recoveryRules,
  ...breakerRules,
  ...supervisionRules,
  ...doubtRules,
  ...ruleFileRules,
  ...invariantRules,
  ...runRules,
  ...callRules,
  ...deadLetterRules,
});
