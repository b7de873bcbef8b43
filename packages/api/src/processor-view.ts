import type { AttributesOf, GraphView, ProcessorFile } from "@halon/protocol";

/** A rule file that runs on nodes, as one node has it. */
export interface RuleFileOnNode extends Omit<ProcessorFile, "file"> {
  readonly node: string;
}

/** How far a rule file that runs on nodes has come. */
export interface RunsOnNodes {
  readonly runs: "node";
  /** Nodes that have its present version in force, and all that are up. */
  readonly loadedOn: number;
  readonly nodes: number;
}

/** Where the file is, by node; of nodes that are up. */
export function onNodesOf(graph: GraphView, file: string): readonly RuleFileOnNode[] {
  return graph.list("Processor").flatMap(({ id: node, attributes }) => {
    const found = attributes.files.find((each) => each.file === file);
    if (found === undefined || !isUp(graph, node)) return [];
    const { file: _, ...on } = found;
    return [{ node, ...on }];
  });
}

/** Nothing of a file that runs in the coordinator. */
export function runsOf(
  graph: GraphView,
  file: string,
  { runs, blob, edition }: Pick<AttributesOf<"RuleFile">, "runs" | "blob" | "edition">,
): RunsOnNodes | undefined {
  if (runs !== "node") return undefined;
  const loaded = onNodesOf(graph, file).filter(
    (each) => each.state === "loaded" && each.blob === blob && each.edition === edition,
  );
  const nodes = graph.list("Node").filter(({ id }) => isUp(graph, id)).length;
  return { runs, loadedOn: loaded.length, nodes };
}

function isUp(graph: GraphView, node: string): boolean {
  const state = graph.get("Node", node)?.attributes.state;
  return state === "up" || state === "suspect";
}
