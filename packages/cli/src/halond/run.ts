/** What a node is started with, as `@halon/node` has it. */
export interface NodeOptions {
  readonly name: string;
  readonly dataDir: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly advertise: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly join: readonly string[];
  readonly insecure: boolean;
  readonly log: {
    readonly level: string;
    readonly format: "json" | "pretty";
    readonly file: string | undefined;
  };
}

/** A node that is ready, as `@halon/node` has it. */
export interface RunningNode {
  readonly name: string;
  readonly endpoint: string;
  readonly role: "tracking" | "satellite";
  readonly leader: string;
  readonly ended: Promise<void>;
  stop(options?: { readonly keepServices?: boolean }): Promise<void>;
}

export type StartNode = (options: NodeOptions) => Promise<RunningNode>;

/** Loads the node only when one is to run: `halond version` and `--local` do without. */
export async function loadStartNode(): Promise<StartNode> {
  const loaded: unknown = await import("@halon/node");
  const module = loaded as { readonly startNode?: StartNode };
  if (module.startNode === undefined) throw new Error("@halon/node has no startNode");
  return module.startNode;
}
