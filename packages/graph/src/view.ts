import {
  compareText,
  type GraphView,
  type Relation,
  type Resource,
  type ResourceKey,
} from "@halon/protocol";
import { hasOneFarEnd, hasOneNearEnd } from "./cardinality.ts";
import type { Where } from "./indexes.ts";
import { rowsOf } from "./relations.ts";
import type { GraphState } from "./state.ts";
import type { Vertex } from "./storage.ts";

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
    return this.state.indexes.get(kind, id) as Resource<K> | undefined;
  }

  list<K extends string>(kind: K, where?: Where): readonly Resource<K>[] {
    return this.state.indexes.find(kind, where) as unknown as readonly Resource<K>[];
  }

  out<K extends string = string>(
    from: ResourceKey,
    name: string,
    kind?: K,
  ): readonly Resource<K>[] {
    const { storage, cardinalities } = this.state;
    const start = storage.vertex(from);
    if (start === undefined) return [];
    const found: Resource[] = [];
    const take = ({ resource }: Vertex): void => {
      if (kind === undefined || resource.kind === kind) found.push(resource);
    };
    const rows = rowsOf(name).filter((row) => row.from === start.resource.kind);
    if (rows.every(hasOneFarEnd))
      for (const row of rows) {
        const end = storage.vertex(cardinalities.far(row, from));
        if (end !== undefined) take(end);
      }
    else storage.forEachOut(from, (row, end) => row.name === name && take(end));
    return sorted(found) as unknown as readonly Resource<K>[];
  }

  in<K extends string = string>(to: ResourceKey, name: string, kind?: K): readonly Resource<K>[] {
    const { storage, cardinalities } = this.state;
    const found: Resource[] = [];
    const take = ({ resource }: Vertex): void => {
      if (kind === undefined || resource.kind === kind) found.push(resource);
    };
    const rows = rowsOf(name);
    if (rows.every(hasOneNearEnd))
      for (const row of rows) {
        const end = storage.vertex(cardinalities.near(row, to));
        if (end !== undefined) take(end);
      }
    else storage.forEachIn(to, (row, end) => row.name === name && take(end));
    return sorted(found) as unknown as readonly Resource<K>[];
  }

  related(from: ResourceKey, name: string, to: ResourceKey): boolean {
    return this.state.present(from, name, to) !== undefined;
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
    return found.length > 1 ? found.sort(compareRelations) : found;
  }
}

function sorted(found: Resource[]): readonly Resource[] {
  return found.length > 1 ? found.sort(compareResources) : found;
}

/** By id, then by kind: two kinds may use one id. */
export function compareResources(a: Resource, b: Resource): number {
  return compareText(a.id, b.id) || compareText(a.kind, b.kind);
}

export function compareRelations(a: Relation, b: Relation): number {
  return compareText(a.from, b.from) || compareText(a.name, b.name) || compareText(a.to, b.to);
}
