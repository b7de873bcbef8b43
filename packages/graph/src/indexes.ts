import { compareText, type Json, type JsonObject, type Resource } from "@halon/protocol";
import type { Vertex } from "./storage.ts";

/** Attributes that rules look resources up by; all of them are strings. */
const indexedAttributes: ReadonlyMap<string, readonly string[]> = new Map([
  ["ServiceName", ["node", "service"]],
  ["ServiceInstance", ["node", "service", "slot", "state"]],
  ["Node", ["state"]],
  ["Operation", ["state"]],
  ["Deployment", ["type"]],
]);

/** The same, with the name of each index. */
const indexesOfKind: ReadonlyMap<
  string,
  readonly { readonly name: string; readonly index: string }[]
> = new Map(
  [...indexedAttributes].map(([kind, names]) => [
    kind,
    names.map((name) => ({ name, index: indexOf(kind, name) })),
  ]),
);

function indexOf(kind: string, attribute: string): string {
  return `${kind}.${attribute}`;
}

export type Where = Readonly<Record<string, string | number | boolean>>;

/** Whether a lookup by this attribute costs what it finds, instead of the kind. */
export function isIndexed(kind: string, attribute: string): boolean {
  return indexedAttributes.get(kind)?.includes(attribute) === true;
}

/** Resources by kind, and by the values of indexed attributes. */
export class Indexes {
  readonly #kinds = new Map<string, Bucket>();
  /** By `<kind>.<attribute>`, then by value. Most slots have one instance, so one is held without a bucket. */
  readonly #values = new Map<string, Map<Json, Vertex | Bucket>>();

  add(vertex: Vertex): void {
    const { kind, attributes } = vertex.resource;
    const bucket = this.#kinds.get(kind);
    if (bucket === undefined) this.#kinds.set(kind, new Bucket([vertex]));
    else bucket.add(vertex);
    for (const { name, index } of indexesOfKind.get(kind) ?? [])
      this.#addValue(vertex, index, attributes[name]);
  }

  remove(vertex: Vertex): void {
    const { kind, attributes } = vertex.resource;
    this.#kinds.get(kind)?.delete(vertex);
    for (const { name, index } of indexesOfKind.get(kind) ?? [])
      this.#removeValue(vertex, index, attributes[name]);
  }

  /** The vertex has its new attributes; `before` are those it had. */
  change(vertex: Vertex, before: JsonObject): void {
    const { kind, attributes } = vertex.resource;
    for (const { name, index } of indexesOfKind.get(kind) ?? []) {
      if (before[name] === attributes[name]) continue;
      this.#removeValue(vertex, index, before[name]);
      this.#addValue(vertex, index, attributes[name]);
    }
  }

  get(kind: string, id: string): Resource | undefined {
    return this.#kinds.get(kind)?.get(id)?.resource;
  }

  /** Sorted by id. Looks through the smallest index that `where` names, else through the kind. */
  find(kind: string, where?: Where): readonly Resource[] {
    let smallest: Vertex | Bucket | undefined = this.#kinds.get(kind);
    if (where === undefined) return smallest?.sorted() ?? [];
    const conditions = Object.entries(where);
    for (const [name, value] of conditions) {
      if (!isIndexed(kind, name)) continue;
      const found = this.#values.get(indexOf(kind, name))?.get(value);
      if (sizeOf(found) < sizeOf(smallest)) smallest = found;
    }
    if (smallest === undefined) return [];
    const resources = smallest instanceof Bucket ? smallest.sorted() : [smallest.resource];
    return resources.filter(({ attributes }) =>
      conditions.every(
        ([name, value]) => Object.hasOwn(attributes, name) && attributes[name] === value,
      ),
    );
  }

  #addValue(vertex: Vertex, index: string, value: Json | undefined): void {
    if (value === undefined) return;
    const values = this.#values.get(index) ?? new Map<Json, Vertex | Bucket>();
    this.#values.set(index, values);
    const present = values.get(value);
    if (present === undefined) values.set(value, vertex);
    else if (present instanceof Bucket) present.add(vertex);
    else values.set(value, new Bucket([present, vertex]));
  }

  #removeValue(vertex: Vertex, index: string, value: Json | undefined): void {
    if (value === undefined) return;
    const values = this.#values.get(index);
    const present = values?.get(value);
    if (present instanceof Bucket && present.delete(vertex) > 0) return;
    values?.delete(value);
  }
}

function sizeOf(found: Vertex | Bucket | undefined): number {
  if (found === undefined) return 0;
  return found instanceof Bucket ? found.size : 1;
}

/** Vertices of one kind by id; remembers their order until one comes or goes. */
class Bucket {
  readonly #members = new Map<string, Vertex>();
  #sorted: readonly Vertex[] | undefined;

  constructor(members: readonly Vertex[]) {
    for (const vertex of members) this.#members.set(vertex.resource.id, vertex);
  }

  get size(): number {
    return this.#members.size;
  }

  get(id: string): Vertex | undefined {
    return this.#members.get(id);
  }

  add(vertex: Vertex): void {
    this.#members.set(vertex.resource.id, vertex);
    this.#sorted = undefined;
  }

  /** How many are left. */
  delete(vertex: Vertex): number {
    this.#members.delete(vertex.resource.id);
    this.#sorted = undefined;
    return this.#members.size;
  }

  sorted(): readonly Resource[] {
    this.#sorted ??= [...this.#members.values()].sort((a, b) =>
      compareText(a.resource.id, b.resource.id),
    );
    return this.#sorted.map(({ resource }) => resource);
  }
}
