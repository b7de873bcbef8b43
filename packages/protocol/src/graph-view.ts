import type { JsonObject } from "./json.ts";
import type { AttributesOf, BuiltInKind } from "./kind.ts";

/** `<kind>/<id>`. No user's name is ever a bare key. */
export type ResourceKey = `${string}/${string}`;

/** One vertex of the graph. */
export interface Resource<K extends string = string> {
  readonly kind: K;
  readonly id: string;
  readonly attributes: K extends BuiltInKind ? AttributesOf<K> : JsonObject;
}

/** One edge of the graph. */
export interface Relation {
  readonly from: ResourceKey;
  readonly name: string;
  readonly to: ResourceKey;
}

/** One change of the graph, with what stood there before, so that it can be undone. */
export type Change =
  | {
      readonly type: "put";
      readonly key: ResourceKey;
      readonly before: JsonObject | null;
      readonly after: JsonObject;
    }
  | { readonly type: "remove"; readonly key: ResourceKey; readonly before: JsonObject }
  | { readonly type: "relate"; readonly relation: Relation }
  | { readonly type: "unrelate"; readonly relation: Relation };

/** What one transaction changed. Applied to a graph of revision `revision - 1` it gives revision `revision`. */
export interface Delta {
  readonly revision: number;
  readonly changes: readonly Change[];
}

/** What rules and readers see of the graph. Every list is sorted by id. */
export interface GraphView {
  readonly revision: number;
  get<K extends string>(kind: K, id: string): Resource<K> | undefined;
  /** All of a kind, or those whose attributes equal `where`; indexed attributes cost O(found). */
  list<K extends string>(
    kind: K,
    where?: Readonly<Record<string, string | number | boolean>>,
  ): readonly Resource<K>[];
  /** Resources at the far end of the relation `name` that starts at `from`. */
  out<K extends string = string>(from: ResourceKey, name: string, kind?: K): readonly Resource<K>[];
  /** Resources at the near end of the relation `name` that ends at `to`. */
  in<K extends string = string>(to: ResourceKey, name: string, kind?: K): readonly Resource<K>[];
  related(from: ResourceKey, name: string, to: ResourceKey): boolean;
  /** All relations that start or end at the resource, sorted. */
  relations(key: ResourceKey): readonly Relation[];
}

/** What a rule may change. Errors name what was wrong; nothing is replaced silently. */
export interface GraphUpdate {
  /** Creates the resource, or replaces its attributes. */
  put<K extends string>(kind: K, id: string, attributes: Resource<K>["attributes"]): void;
  /** Changes some attributes of a resource that exists; `undefined` removes an optional one. */
  patch<K extends BuiltInKind>(
    kind: K,
    id: string,
    attributes: { [A in keyof AttributesOf<K>]?: AttributesOf<K>[A] | undefined },
  ): void;
  /** Removes the resource and its relations; does nothing when it is not there. */
  remove(kind: string, id: string): void;
  /** Adds the relation; does nothing when it is there. */
  relate(from: ResourceKey, name: string, to: ResourceKey): void;
  /** Removes the relation; does nothing when it is not there. */
  unrelate(from: ResourceKey, name: string, to: ResourceKey): void;
}

export function keyOf(kind: string, id: string): ResourceKey {
  return `${kind}/${id}`;
}

/** Splits at the first slash: ids may hold slashes, kinds may not. */
export function splitKey(key: ResourceKey): { readonly kind: string; readonly id: string } {
  const slash = key.indexOf("/");
  return { kind: key.slice(0, slash), id: key.slice(slash + 1) };
}
