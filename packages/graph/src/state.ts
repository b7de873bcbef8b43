import {
  type Change,
  HalonError,
  type JsonObject,
  type Relation,
  type Resource,
  type ResourceKey,
  splitKey,
} from "@halon/protocol";
import { Cardinalities } from "./cardinality.ts";
import { Indexes } from "./indexes.ts";
import { definitionKind, isBuiltIn } from "./kinds.ts";
import { knownRow, type RelationRow, relationRow } from "./relations.ts";
import { Storage, type Vertex } from "./storage.ts";

export interface Edge {
  readonly row: RelationRow;
  readonly relation: Relation;
}

/**
 * All that a graph is, and the two steps that change it.
 *
 * `perform` and `undo` trust their caller to have checked the change; they keep storage, indexes and
 * cardinalities in step, and each costs what the change is, whatever the size of the graph.
 */
export class GraphState {
  readonly storage = new Storage();
  readonly indexes = new Indexes();
  readonly cardinalities = new Cardinalities();
  revision = 0;
  isOpen = false;

  /** An equal state that changes by itself; resources are frozen, so both hold the same ones. */
  copy(): GraphState {
    const copy = new GraphState();
    this.storage.forEachVertex(({ key, resource }) => {
      const vertex = { key, resource };
      copy.storage.addVertex(vertex);
      copy.indexes.add(vertex);
    });
    this.storage.forEachEdge((from, row, to) => {
      copy.storage.addEdge(from, row, to);
      copy.cardinalities.add(row, from, to);
    });
    copy.revision = this.revision;
    return copy;
  }

  resource(key: ResourceKey): Resource | undefined {
    return this.storage.vertex(key)?.resource;
  }

  definition = (kind: string): Resource | undefined => this.resource(`${definitionKind}/${kind}`);

  /**
   * The row of a relation between resources that exist, and the relation in the graph's own keys: those are
   * hashed already, and shared by all edges of a resource. HAL_NOT_FOUND, HAL_BAD_REQUEST.
   */
  edge(relation: Relation): Edge {
    const from = this.#end(relation.from, relation);
    const to = this.#end(relation.to, relation);
    const row = relationRow(relation.name, from.resource.kind, to.resource.kind, isUserDefined);
    return { row, relation: Object.freeze({ from: from.key, name: row.name, to: to.key }) };
  }

  /** As `edge`, of a relation that is there; undefined when it is not. */
  present(from: ResourceKey, name: string, to: ResourceKey): Edge | undefined {
    const near = this.storage.vertex(from);
    const far = this.storage.vertex(to);
    if (near === undefined || far === undefined) return undefined;
    const row = knownRow(name, near.resource.kind, far.resource.kind, isUserDefined);
    if (row === undefined || !this.isRelated(row, from, to)) return undefined;
    return { row, relation: Object.freeze({ from: near.key, name: row.name, to: far.key }) };
  }

  /** Whether there is such a relation between two resources. */
  isRelated(row: RelationRow, from: ResourceKey, to: ResourceKey): boolean {
    const known = this.cardinalities.has(row, from, to);
    return known ?? this.storage.edge(from, row.name, to) !== undefined;
  }

  /** `row`: of the relation, where the caller has it. */
  perform(change: Change, row?: RelationRow): void {
    switch (change.type) {
      case "put":
        this.#put(change.key, change.after);
        break;
      case "remove":
        this.#remove(change.key);
        break;
      case "relate":
        this.#relate(change.relation, row);
        break;
      case "unrelate":
        this.#unrelate(change.relation, row);
        break;
    }
  }

  undo(change: Change): void {
    switch (change.type) {
      case "put":
        if (change.before === null) this.#remove(change.key);
        else this.#put(change.key, change.before);
        break;
      case "remove":
        this.#put(change.key, change.before);
        break;
      case "relate":
        this.#unrelate(change.relation);
        break;
      case "unrelate":
        this.#relate(change.relation);
        break;
    }
  }

  #end(key: ResourceKey, { from, name, to }: Relation): Vertex {
    const vertex = this.storage.vertex(key);
    if (vertex !== undefined) return vertex;
    throw new HalonError(
      "HAL_NOT_FOUND",
      `There is no resource ${key}, an end of ${from} -${name}-> ${to}.`,
      { details: { key, relation: name } },
    );
  }

  #put(key: ResourceKey, attributes: JsonObject): void {
    const { kind, id } = splitKey(key);
    const resource: Resource = Object.freeze({ kind, id, attributes });
    const present = this.storage.vertex(key);
    if (present === undefined) {
      const vertex = { key, resource };
      this.storage.addVertex(vertex);
      this.indexes.add(vertex);
    } else {
      const before = present.resource.attributes;
      present.resource = resource;
      this.indexes.change(present, before);
    }
  }

  #remove(key: ResourceKey): void {
    const vertex = this.storage.vertex(key);
    if (vertex === undefined) return;
    this.indexes.remove(vertex);
    this.storage.dropVertex(key);
  }

  #relate(relation: Relation, row = this.edge(relation).row): void {
    this.storage.addEdge(relation.from, row, relation.to);
    this.cardinalities.add(row, relation.from, relation.to);
  }

  #unrelate(relation: Relation, row = this.edge(relation).row): void {
    this.storage.dropEdge(relation.from, row, relation.to);
    this.cardinalities.delete(row, relation.from, relation.to);
  }
}

function isUserDefined(kind: string): boolean {
  return !isBuiltIn(kind) && kind !== definitionKind;
}
