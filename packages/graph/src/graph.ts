import {
  type Change,
  type Delta,
  type GraphUpdate,
  type GraphView,
  HalonError,
  type JsonObject,
} from "@halon/protocol";
import { assertNext, replay } from "./apply.ts";
import { Editor } from "./editor.ts";
import { definitionKind } from "./kinds.ts";
import { GraphState } from "./state.ts";
import { StateView } from "./view.ts";

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
  /** An equal graph of its own; costs what it holds, and checks nothing again. HAL_CONFLICT in a transaction. */
  copy(): Graph;
}

/** An empty graph of revision 0. */
export function createGraph(): Graph {
  return new OwnedGraph(new GraphState());
}

/** A state with its one owner. */
export class OwnedGraph extends StateView implements Graph {
  transact(change: (update: GraphEditor) => void): Delta {
    const transaction = this.begin();
    try {
      change(transaction.update);
    } catch (error) {
      transaction.rollback();
      throw error;
    }
    return transaction.commit();
  }

  begin(): Transaction {
    return beginOn(this.state, new Editor(this.state));
  }

  copy(): Graph {
    if (this.state.isOpen) throw transactionOpen();
    return new OwnedGraph(this.state.copy());
  }

  defineKind({ kind, schema }: KindDefinition): Delta {
    return this.transact((update) => update.put(definitionKind, kind, { schema }));
  }

  apply(delta: Delta): void {
    assertNext(this.revision, delta);
    const editor = new Editor(this.state);
    const transaction = beginOn(this.state, editor);
    try {
      for (const change of delta.changes) replay(this.state, editor, change);
    } catch (error) {
      transaction.rollback();
      throw error;
    }
    transaction.commit();
  }
}

function beginOn(state: GraphState, editor: Editor): Transaction {
  if (state.isOpen) throw transactionOpen();
  state.isOpen = true;
  const close = () => {
    editor.close();
    state.isOpen = false;
  };
  return {
    update: editor,
    savepoint: () => editor.changes.length,
    rollbackTo: (savepoint) => {
      assertSavepoint(editor, savepoint);
      editor.undoTo(savepoint);
    },
    changesSince: (savepoint) => {
      assertSavepoint(editor, savepoint);
      return editor.changes.slice(savepoint);
    },
    commit: () => {
      close();
      if (editor.changes.length > 0) state.revision += 1;
      return { revision: state.revision, changes: Object.freeze(editor.changes) };
    },
    rollback: () => {
      close();
      editor.undoTo(0);
    },
  };
}

function transactionOpen(): HalonError {
  return new HalonError(
    "HAL_CONFLICT",
    "A transaction is open on this graph already; commit it or roll it back first.",
  );
}

function assertSavepoint(editor: Editor, savepoint: Savepoint): void {
  const count = editor.changes.length;
  if (Number.isInteger(savepoint) && savepoint >= 0 && savepoint <= count) return;
  throw new HalonError(
    "HAL_CONFLICT",
    `The savepoint ${savepoint} is not of this transaction, or was rolled back; it has ${count} changes.`,
  );
}
