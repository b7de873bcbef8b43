import type { StartDryRun } from "@halon/api";
import { HalonError } from "@halon/protocol";
import type { Session } from "./session.ts";

interface Row {
  readonly node: string;
  readonly condition: string;
  readonly holds: string;
  readonly detail: string;
}

/**
 * Shows what a start would do and on which conditions that rests, on the node or on each. Throws HAL_CONFLICT when it
 * would be refused on all of them.
 */
export async function tryStart(
  { client, print }: Session,
  service: string,
  on: string | undefined,
): Promise<void> {
  const runs = await client.dryRun(service, on);
  if (print.format === "table" || print.format === "wide") {
    print.list(
      [
        { title: "NODE", value: (row) => row.node },
        { title: "CONDITION", value: (row) => row.condition },
        { title: "HOLDS", value: (row) => row.holds },
        { title: "DETAIL", value: (row) => row.detail, canShrink: true },
      ],
      runs.flatMap(rowsOf),
      (row) => `node/${row.node}`,
    );
  } else {
    print.list([], runs, (run) => `node/${run.node}`);
  }
  if (runs.some(({ would }) => would !== "refuse")) return;
  const where = on === undefined ? "on every node" : `on ${on}`;
  throw new HalonError("HAL_CONFLICT", `${service} would be refused ${where}${whyOf(runs)}.`);
}

function rowsOf({ node, conditions, would }: StartDryRun): readonly Row[] {
  const rows = conditions.map(({ name, holds, detail }) => ({
    node,
    condition: name,
    holds: holds ? "yes" : "no",
    detail,
  }));
  return [...rows, { node, condition: "would", holds: "", detail: would }];
}

/** The first hard condition that fails, when it is one node that was asked about. */
function whyOf(runs: readonly StartDryRun[]): string {
  const [run, ...others] = runs;
  if (run === undefined || others.length > 0) return "";
  const failing = run.conditions.find(({ holds, isHard }) => isHard && !holds);
  return failing === undefined ? "" : `: ${failing.detail}`;
}
