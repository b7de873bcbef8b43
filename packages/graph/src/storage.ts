import type { Resource, ResourceKey } from "@halon/protocol";
import { MultiDirectedGraph } from "graphology";
import type { RelationRow } from "./relations.ts";

/** A place in the graph; `resource` is replaced as a whole when its attributes change. */
export type Vertex = { readonly key: ResourceKey; resource: Resource };

/**
 * Vertices and edges, in the order they came: nothing here is fit to be shown unsorted.
 *
 * The only file that knows graphology. Keys are `<kind>/<id>`, so `__proto__` never is one; the attributes of
 * an edge are the row of its relation itself, so an edge costs no object of its own for them.
 */
export class Storage {
  readonly #graph = new MultiDirectedGraph<Vertex, RelationRow>({ allowSelfLoops: false });
  /** Those of the graph: they are looked up far more often than walked from. */
  readonly #vertices = new Map<ResourceKey, Vertex>();

  vertex(key: ResourceKey | undefined): Vertex | undefined {
    if (key === undefined) return undefined;
    return this.#vertices.get(key);
  }

  addVertex(vertex: Vertex): void {
    this.#graph.addNode(vertex.key, vertex);
    this.#vertices.set(vertex.key, vertex);
  }

  /** The caller has removed the edges. */
  dropVertex(key: ResourceKey): void {
    this.#graph.dropNode(key);
    this.#vertices.delete(key);
  }

  addEdge(from: ResourceKey, row: RelationRow, to: ResourceKey): void {
    this.#graph.addEdge(from, to, row);
  }

  dropEdge(from: ResourceKey, row: RelationRow, to: ResourceKey): void {
    const edge = this.#graph.findOutEdge(from, to, (_, each) => each === row);
    if (edge !== undefined) this.#graph.dropEdge(edge);
  }

  /** The row of the edge with this name, when there is one. Costs the edges between the two ends. */
  edge(from: ResourceKey, name: string, to: ResourceKey): RelationRow | undefined {
    if (!this.#vertices.has(from) || !this.#vertices.has(to)) return undefined;
    let found: RelationRow | undefined;
    this.#graph.findOutEdge(from, to, (_, row) => {
      if (row.name === name) found = row;
      return found !== undefined;
    });
    return found;
  }

  forEachVertex(visit: (vertex: Vertex) => void): void {
    for (const vertex of this.#vertices.values()) visit(vertex);
  }

  forEachEdge(visit: (from: ResourceKey, row: RelationRow, to: ResourceKey) => void): void {
    this.#graph.forEachEdge((_, row, __, ___, from, to) => visit(from.key, row, to.key));
  }

  forEachOut(from: ResourceKey, visit: (row: RelationRow, to: Vertex) => void): void {
    if (!this.#vertices.has(from)) return;
    this.#graph.forEachOutEdge(from, (_, row, __, ___, ____, to) => visit(row, to));
  }

  forEachIn(to: ResourceKey, visit: (row: RelationRow, from: Vertex) => void): void {
    if (!this.#vertices.has(to)) return;
    this.#graph.forEachInEdge(to, (_, row, __, ___, from) => visit(row, from));
  }
}
