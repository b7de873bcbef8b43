export { toDot } from "./dot.ts";
export {
  createGraph,
  type Graph,
  type GraphEditor,
  type KindDefinition,
  type Savepoint,
  type Transaction,
} from "./graph.ts";
export { toGraphml } from "./graphml.ts";
export { definitionKind } from "./kinds.ts";
export { query } from "./query.ts";
export { type Cardinality, type RelationRow, relationTable } from "./relations.ts";
export { fromJSON, type GraphJson, toJSON } from "./snapshot.ts";
