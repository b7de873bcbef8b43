import type { GraphView } from "@halon/protocol";

/** A rule file that is in the graph but cannot take part. */
export interface RuleFileFailure {
  readonly file: string;
  readonly blob: string;
  readonly reason: string;
}

/** What decides which rules are in force: a key that changes when they have to be loaded again. */
export function ruleFilesKey(graph: GraphView): string {
  return graph
    .list("RuleFile")
    .map(
      ({ id, attributes }) =>
        `${id}=${attributes.blob}${attributes.quarantined === undefined ? "" : "!"}`,
    )
    .join(",");
}
