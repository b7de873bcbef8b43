import type { NodeOptions, RunningNode, StartContext } from "@halon/node";

export type { NodeOptions, RunningNode, StartContext };
export type StartNode = (options: NodeOptions, context: StartContext) => Promise<RunningNode>;

/** Loads the node only when one is to run: `halond version` and `--local` do without. */
export async function loadStartNode(): Promise<StartNode> {
  return (await import("@halon/node")).startNode;
}

/** `host:port` of the process that uses the directory; empty or undefined while nobody listens there. */
export async function loadEndpointOf(): Promise<(dataDir: string) => Promise<string | undefined>> {
  return (await import("@halon/node")).endpointOf;
}
