export {
  createGraph,
  type Graph,
  type GraphEditor,
  type KindDefinition,
  type Savepoint,
  type Transaction,
} from "./graph.ts";
