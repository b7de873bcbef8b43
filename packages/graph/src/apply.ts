import {
  type Change,
  type Delta,
  HalonError,
  type JsonObject,
  type ResourceKey,
  splitKey,
} from "@halon/protocol";
import { assertJson, frozenObject, isShared, sameJson } from "./attributes.ts";
import type { Editor } from "./editor.ts";
import { assertKind } from "./kinds.ts";
import type { GraphState } from "./state.ts";

/** Throws HAL_CONFLICT unless the delta is the next one; one without changes has the graph's own revision. */
export function assertNext(own: number, { revision, changes }: Delta): void {
  const expected = changes.length === 0 ? own : own + 1;
  if (revision === expected) return;
  throw new HalonError(
    "HAL_CONFLICT",
    `The graph is at revision ${own} and takes revision ${expected} next, got a delta of revision ${revision} ` +
      `with ${changes.length} changes; start again from a snapshot.`,
    { details: { own, revision } },
  );
}

/**
 * Makes one change of a delta, after checking that it fits what is there.
 *
 * Attributes are not held against the schema of their kind: they were when the change was decided, and a
 * schema of a later version must not make an older log unreadable.
 */
export function replay(state: GraphState, editor: Editor, change: Change): void {
  switch (change.type) {
    case "put": {
      assertKind(splitKey(change.key).kind, state.definition);
      assertBefore(state, change.key, change.before);
      if (!isShared(change.after)) assertJson(change.after, change.key);
      editor.record({ ...change, after: frozenObject(change.after) });
      break;
    }
    case "remove": {
      assertBefore(state, change.key, change.before);
      const [left] = editor.relations(change.key);
      if (left !== undefined) {
        throw mismatch(`${change.key} is to be removed`, `${left.from} -${left.name}-> ${left.to}`);
      }
      editor.record({ ...change });
      break;
    }
    case "relate": {
      const { from, name, to } = change.relation;
      if (!editor.join(from, name, to))
        throw mismatch(`${from} -${name}-> ${to} is to be added`, "it");
      break;
    }
    case "unrelate": {
      const { from, name, to } = change.relation;
      if (!editor.part(from, name, to))
        throw mismatch(`${from} -${name}-> ${to} is to be removed`, "no such relation");
      break;
    }
  }
}

function assertBefore(state: GraphState, key: ResourceKey, before: JsonObject | null): void {
  const present = state.resource(key)?.attributes ?? null;
  if (sameJson(present, before)) return;
  throw mismatch(`${key} is expected to be ${brief(before)}`, brief(present));
}

function brief(attributes: JsonObject | null): string {
  return attributes === null ? "absent" : JSON.stringify(attributes).slice(0, 500);
}

function mismatch(expected: string, present: string): HalonError {
  return new HalonError(
    "HAL_CONFLICT",
    `The delta is of another graph: ${expected}, and the graph has ${present}; start again from a snapshot.`,
    { details: { expected, present } },
  );
}
