import { parseArgs } from "node:util";
import type { PlanOptions } from "./plan.ts";

/** What the command line asks for. */
export interface CliOptions {
  readonly from: number;
  readonly to: number;
  readonly plan: PlanOptions;
  readonly steps: number | null;
  readonly workers: number | null;
  readonly twice: boolean;
  /** Where the hash of each seed is written, one line each: seed, hash. */
  readonly hashes: string | null;
  /** Hashes of an earlier sweep, of another Node perhaps, that this one's are compared with. */
  readonly compare: string | null;
  readonly untilViolation: boolean;
  readonly explain: boolean;
  readonly json: boolean;
  /** A saved scenario to run instead of seeds. */
  readonly scenario: string | null;
  /** Directory for the scenario of a violation. */
  readonly out: string;
  readonly shrinkRuns: number;
}

export const usage = `npm run sim -- [options]

  --seed N               one seed; or
  --seeds A..B           a range of seeds (default 1..100)
  --scenario FILE        a saved scenario instead
  --profile P            raft: members alone; cluster: whole nodes; jobs: jobs of a rule file (default raft)
  --members N            members at the start, 1 to 7 (default 5; of jobs 3; of a cluster: the seed draws 1, 3 or 5)
  --satellites N         nodes without a member, 0 to 8 (of a cluster; default: the seed draws 0 to 4)
  --jobs N               jobs of a run, 1 to 10000 (of jobs; default 1000)
  --seconds N            simulated seconds with faults (default 60; of jobs 20)
  --machine M            registers, agency or both (default both: the seed draws it)
  --steps N              end each run after so many events
  --workers N            threads (default: one a core)
  --twice                run each seed twice and compare the hashes
  --hashes FILE          write the hash of each seed to this file
  --compare FILE         compare with such a file, of another release of Node perhaps
  --until-violation      stop at the first violation
  --explain              print every event of a run
  --shrink-runs N        runs to spend on a smaller scenario (default 300)
  --out DIR              where the scenario of a violation goes (default .)
  --output json|text     json: the last line is the summary (default text)

Exit code 7: a rule was broken, two runs differed, or a rare state was not reached in 1 % of 1,000 seeds or more (300 of clusters).`;

/** The options in these arguments. Throws an `Error` that says what is wrong with them. */
export function optionsOf(args: readonly string[]): CliOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string" },
      seeds: { type: "string", default: "1..100" },
      scenario: { type: "string" },
      profile: { type: "string", default: "raft" },
      members: { type: "string" },
      satellites: { type: "string" },
      jobs: { type: "string" },
      seconds: { type: "string" },
      machine: { type: "string", default: "both" },
      steps: { type: "string" },
      workers: { type: "string" },
      twice: { type: "boolean", default: false },
      hashes: { type: "string" },
      compare: { type: "string" },
      "until-violation": { type: "boolean", default: false },
      explain: { type: "boolean", default: false },
      "shrink-runs": { type: "string", default: "300" },
      out: { type: "string", default: "." },
      output: { type: "string", default: "text" },
    },
  });
  const [from, to] = rangeOf(values.seed === undefined ? values.seeds : values.seed);
  const { machine, output, profile } = values;
  if (profile !== "raft" && profile !== "cluster" && profile !== "jobs")
    throw new Error(`--profile is raft, cluster or jobs, not ${profile}`);
  if (profile !== "jobs" && values.jobs !== undefined)
    throw new Error("--jobs is of the profile jobs: add --profile jobs");
  if (profile !== "cluster" && values.satellites !== undefined)
    throw new Error("--satellites is of the profile cluster: add --profile cluster");
  if (machine !== "registers" && machine !== "agency" && machine !== "both")
    throw new Error(`--machine is registers, agency or both, not ${machine}`);
  if (output !== "json" && output !== "text")
    throw new Error(`--output is json or text, not ${output}`);
  return {
    from,
    to,
    plan: {
      members: numberOf("--members", values.members ?? (profile === "jobs" ? "3" : "5"), 1, 7),
      ...(profile === "cluster" ? { cluster: clusterOf(values) } : {}),
      ...(profile === "jobs" ? { jobs: numberOf("--jobs", values.jobs ?? "1000", 1, 10_000) } : {}),
      seconds: numberOf(
        "--seconds",
        values.seconds ?? (profile === "jobs" ? "20" : "60"),
        2,
        86_400,
      ),
      machine: machine === "both" ? null : machine,
    },
    steps: values.steps === undefined ? null : numberOf("--steps", values.steps, 1),
    workers: values.workers === undefined ? null : numberOf("--workers", values.workers, 1, 256),
    twice: values.twice,
    hashes: values.hashes ?? null,
    compare: values.compare ?? null,
    untilViolation: values["until-violation"],
    explain: values.explain,
    json: output === "json",
    scenario: values.scenario ?? null,
    out: values.out,
    shrinkRuns: numberOf("--shrink-runs", values["shrink-runs"], 0),
  };
}

function clusterOf(values: {
  readonly members?: string | undefined;
  readonly satellites?: string | undefined;
}): NonNullable<PlanOptions["cluster"]> {
  const { members, satellites } = values;
  return {
    tracking: members === undefined ? null : numberOf("--members", members, 1, 7),
    satellites: satellites === undefined ? null : numberOf("--satellites", satellites, 0, 8),
  };
}

function rangeOf(text: string): readonly [number, number] {
  const [first = "", last = first, ...rest] = text.split("..");
  const from = numberOf("--seeds", first, 0);
  const to = numberOf("--seeds", last, 0);
  if (rest.length > 0 || to < from) throw new Error(`--seeds is A..B with A <= B, not ${text}`);
  return [from, to];
}

function numberOf(
  name: string,
  text: string,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new Error(`${name} is a whole number from ${min} to ${max}, not ${text}`);
  return value;
}
