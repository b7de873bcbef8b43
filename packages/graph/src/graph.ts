import {
  type Change,
  type Delta,
  type GraphUpdate,
  type GraphView,
  HalonError,
  type JsonObject,
} from "@halon/protocol";

/** A kind of resource that a service type or rule file declares, with the JSON Schema of its attributes. */
export interface KindDefinition {
  readonly kind: string;
  readonly schema: JsonObject;
}

/** The mark of a place in an open transaction. */
export type Savepoint = number;

/** What a transaction's holder reads and changes; reads see the changes made so far. */
export type GraphEditor = GraphView & GraphUpdate;

/** An open transaction. A graph has at most one. */
export interface Transaction {
  readonly update: GraphEditor;
  savepoint(): Savepoint;
  /** Undoes everything since the savepoint, which stays usable; later ones do not. */
  rollbackTo(savepoint: Savepoint): void;
  changesSince(savepoint: Savepoint): readonly Change[];
  /** Ends it; the revision grows by one, or stays when nothing was changed. */
  commit(): Delta;
  /** Ends it and undoes everything. */
  rollback(): void;
}

/** The resource graph. It has one owner, who changes it in place. */
export interface Graph extends GraphView {
  /** Runs `change` as one transaction; when it throws, everything is undone and the error goes on. */
  transact(change: (update: GraphEditor) => void): Delta;
  begin(): Transaction;
  /** Declares a kind in a transaction of its own; the same definition again changes nothing. */
  defineKind(definition: KindDefinition): Delta;
  /** Applies a delta of an equal graph; nothing is changed when it does not fit. */
  apply(delta: Delta): void;
}

/** An empty graph of revision 0. */
export function createGraph(): Graph {
  throw new HalonError("HAL_NOT_BUILT", "the graph is not built yet");
}
