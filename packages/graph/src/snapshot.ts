import {
  type GraphView,
  HalonError,
  type JsonObject,
  keyOf,
  type Relation,
  type Resource,
  type ResourceKey,
} from "@halon/protocol";
import { z } from "zod";
import { assertJson, frozenObject, isShared } from "./attributes.ts";
import { assertId } from "./editor.ts";
import { type Graph, OwnedGraph } from "./graph.ts";
import { assertKind, definitionKind } from "./kinds.ts";
import { GraphState } from "./state.ts";
import { allRelations, allResources } from "./walk.ts";

/** A graph as plain data: complete, and the same for equal graphs once encoded canonically. */
export type GraphJson = {
  readonly revision: number;
  /** Sorted by `<kind>/<id>`; kind definitions are among them. */
  readonly resources: readonly {
    readonly kind: string;
    readonly id: string;
    readonly attributes: JsonObject;
  }[];
  /** Sorted by `from`, `name`, `to`. */
  readonly relations: readonly {
    readonly from: ResourceKey;
    readonly name: string;
    readonly to: ResourceKey;
  }[];
};

const Snapshot = z.strictObject({
  revision: z.number().int().min(0),
  resources: z.array(
    z.strictObject({
      kind: z.string(),
      id: z.string(),
      attributes: z.custom<object>(isObject, "expected an object"),
    }),
  ),
  relations: z.array(z.strictObject({ from: z.string(), name: z.string(), to: z.string() })),
});

/** All of the graph; `canonicalJson` of it is the one encoding of this graph. */
export function toJSON(view: GraphView): GraphJson {
  return {
    revision: view.revision,
    resources: allResources(view) as readonly Resource<"Kind">[],
    relations: allRelations(view),
  };
}

/**
 * The graph that `toJSON` gave.
 *
 * Throws HAL_BAD_REQUEST, HAL_NOT_FOUND or HAL_CARDINALITY when it is not one. Attributes are not held against the
 * schema of their kind, as in a delta: a later version must be able to read what an older one wrote.
 */
export function fromJSON(json: unknown): Graph {
  const { revision, resources, relations } = isGraphJson(json) ? json : parse(json);
  const state = new GraphState();
  const definitionsFirst = [
    ...resources.filter(({ kind }) => kind === definitionKind),
    ...resources.filter(({ kind }) => kind !== definitionKind),
  ];
  for (const resource of definitionsFirst) addResource(state, resource);
  for (const relation of relations) addRelation(state, relation as Relation);
  state.revision = revision;
  return new OwnedGraph(state);
}

/** As `Snapshot` says, and faster: graphs are large, and nearly always right. */
function isGraphJson(json: unknown): json is z.infer<typeof Snapshot> {
  if (!hasMembers(json, 3)) return false;
  const { revision, resources, relations } = json;
  return (
    Number.isSafeInteger(revision) &&
    Number(revision) >= 0 &&
    Array.isArray(resources) &&
    resources.every(isResourceJson) &&
    Array.isArray(relations) &&
    relations.every(isRelationJson)
  );
}

function isResourceJson(value: unknown): boolean {
  if (!hasMembers(value, 3)) return false;
  const { kind, id, attributes } = value;
  return typeof kind === "string" && typeof id === "string" && isObject(attributes);
}

function isRelationJson(value: unknown): boolean {
  if (!hasMembers(value, 3)) return false;
  const { from, name, to } = value;
  return typeof from === "string" && typeof name === "string" && typeof to === "string";
}

function hasMembers(value: unknown, count: number): value is Readonly<Record<string, unknown>> {
  return isObject(value) && Object.keys(value).length === count;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Says what is wrong with it. */
function parse(json: unknown): z.infer<typeof Snapshot> {
  const parsed = Snapshot.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw malformed(`${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`);
}

function addResource(
  state: GraphState,
  { kind, id, attributes }: { kind: string; id: string; attributes: object },
): void {
  const key = keyOf(kind, id);
  assertKind(kind, state.definition);
  assertId(kind, id);
  if (!isShared(attributes)) assertJson(attributes, key);
  if (state.resource(key) !== undefined) throw malformed(`${key} is in it twice`);
  state.perform({ type: "put", key, before: null, after: frozenObject(attributes) });
}

function addRelation(state: GraphState, asked: Relation): void {
  const { row, relation } = state.edge(asked);
  const { from, name, to } = relation;
  if (state.isRelated(row, from, to)) {
    throw malformed(`${from} -${name}-> ${to} is in it twice`);
  }
  state.cardinalities.check(row, from, to);
  state.perform({ type: "relate", relation }, row);
}

function malformed(problem: string): HalonError {
  return new HalonError("HAL_BAD_REQUEST", `This is not the JSON of a graph: ${problem}.`);
}
