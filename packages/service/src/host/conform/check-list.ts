import { agent } from "./agent-checks.ts";
import { reconfigures, refuses } from "./configuration-checks.ts";
import { messages, resources } from "./contract-checks.ts";
import { hung, killed } from "./failure-checks.ts";
import { NotForIt, type Verdict } from "./finding.ts";
import {
  checkStarting,
  checks,
  nothingLeft,
  restarts,
  starts,
  startTwice,
  status,
  stops,
  stopTwice,
  twoNames,
} from "./life-checks.ts";
import type { CheckName } from "./report.ts";
import { propertiesOf, type SecretReferences } from "./schema-values.ts";
import type { Stage, StageOptions } from "./stage.ts";

/** One check, which has a stage for itself. */
export interface Check {
  run(stage: Stage, secrets: SecretReferences): Promise<Verdict>;
  /** Not tried with a type that does not start. */
  readonly needsStart: boolean;
  /** How many starts and stops it may take. */
  rounds(options: Pick<StageOptions, "manifest">): number;
}

/** All checks of a type that loads, in their order. */
export const checkList: Readonly<Record<Exclude<CheckName, "loads">, Check>> = {
  starts: { ...onceOf(starts), needsStart: false },
  "start-twice": onceOf(startTwice),
  "check-starting": onceOf(checkStarting),
  checks: onceOf(checks),
  status: onceOf(status),
  stops: onceOf(stops),
  "stop-twice": onceOf(stopTwice),
  "nothing-left": onceOf(nothingLeft),
  restarts: onceOf(restarts),
  killed: onceOf(killed),
  hung: onceOf(hung),
  reconfigures: {
    ...onceOf(reconfigures),
    rounds: ({ manifest }) =>
      2 + 2 * Object.keys(propertiesOf(manifest.configurationSchema)).length,
  },
  refuses: { ...onceOf(refuses), needsStart: false },
  messages: onceOf(messages),
  resources: { ...onceOf(resources), needsStart: false },
  "two-names": onceOf(bothNames),
  agent: { ...onceOf(agent), needsStart: false },
};

function onceOf(run: Check["run"]): Check {
  return { run, needsStart: true, rounds: () => 3 };
}

async function bothNames(stage: Stage): Promise<Verdict> {
  const { name, serviceName } = stage.manifest;
  if (serviceName === name) return await twoNames(stage);
  throw new NotForIt(`of the service name ${serviceName} one runs on a node at a time`);
}
