import {
  compareText,
  type GraphView,
  keyOf,
  type Relation,
  type Resource,
  type ResourceKey,
} from "@halon/protocol";
import type { Where } from "./indexes.ts";
import type { GraphState } from "./state.ts";

/** Reads of the graph as it is now. Resources are frozen and handed out as they are. */
export class StateView implements GraphView {
  protected readonly state: GraphState;

  constructor(state: GraphState) {
    this.state = state;
  }

  get revision(): number {
    return this.state.revision;
  }

  get<K extends string>(kind: K, id: string): Resource<K> | undefined {
    return this.state.resource(keyOf(kind, id)) as Resource<K> | undefined;
  }

  list<K extends string>(kind: K, where?: Where): readonly Resource<K>[] {
    return this.state.indexes.find(kind, where) as unknown as readonly Resource<K>[];
  }

  out<K extends string = string>(
    from: ResourceKey,
    name: string,
    kind?: K,
  ): readonly Resource<K>[] {
    const found: Resource[] = [];
    this.state.storage.forEachOut(from, (row, { resource }) => {
      if (row.name === name && (kind === undefined || resource.kind === kind)) found.push(resource);
    });
    return found.sort(compareResources) as unknown as readonly Resource<K>[];
  }

  in<K extends string = string>(to: ResourceKey, name: string, kind?: K): readonly Resource<K>[] {
    const found: Resource[] = [];
    this.state.storage.forEachIn(to, (row, { resource }) => {
      if (row.name === name && (kind === undefined || resource.kind === kind)) found.push(resource);
    });
    return found.sort(compareResources) as unknown as readonly Resource<K>[];
  }

  related(from: ResourceKey, name: string, to: ResourceKey): boolean {
    return this.state.storage.edge(from, name, to) !== undefined;
  }

  relations(key: ResourceKey): readonly Relation[] {
    const found: Relation[] = [];
    this.state.storage.forEachOut(key, ({ name }, to) => {
      found.push({ from: key, name, to: to.key });
    });
    this.state.storage.forEachIn(key, ({ name }, from) => {
      found.push({ from: from.key, name, to: key });
    });
    return found.sort(compareRelations);
  }

  /** Those of `relations` that start at the resource. */
  relationsFrom(key: ResourceKey): readonly Relation[] {
    const found: Relation[] = [];
    this.state.storage.forEachOut(key, ({ name }, to) => {
      found.push({ from: key, name, to: to.key });
    });
    return found.sort(compareRelations);
  }
}

/** By id, then by kind: two kinds may use one id. */
export function compareResources(a: Resource, b: Resource): number {
  return compareText(a.id, b.id) || compareText(a.kind, b.kind);
}

export function compareRelations(a: Relation, b: Relation): number {
  return compareText(a.from, b.from) || compareText(a.name, b.name) || compareText(a.to, b.to);
}
