import type { NodeOptions, RunningNode } from "@halon/node";

export type { NodeOptions, RunningNode };
export type StartNode = (options: NodeOptions) => Promise<RunningNode>;

/** Loads the node only when one is to run: `halond version` and `--local` do without. */
export async function loadStartNode(): Promise<StartNode> {
  return (await import("@halon/node")).startNode;
}
