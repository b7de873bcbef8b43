import {
  type BuiltInKind,
  type Change,
  type GraphUpdate,
  HalonError,
  type JsonObject,
  keyOf,
  type Resource,
  type ResourceKey,
} from "@halon/protocol";
import { sameJson } from "./attributes.ts";
import { definitionKind, validAttributes } from "./kinds.ts";
import { type RelationRow, relationRows } from "./relations.ts";
import { StateView } from "./view.ts";

const idLengthMax = 256;

/**
 * The changes of one transaction: each is checked, made at once and noted, so that it can be undone.
 *
 * A change that is refused has changed nothing.
 */
export class Editor extends StateView implements GraphUpdate {
  readonly #changes: Change[] = [];
  #isClosed = false;

  get changes(): readonly Change[] {
    return this.#changes;
  }

  put<K extends string>(kind: K, id: string, attributes: Resource<K>["attributes"]): void {
    this.#assertOpen();
    assertId(kind, id);
    const after = validAttributes(kind, id, attributes, this.state.definition);
    const before = this.state.resource(keyOf(kind, id))?.attributes ?? null;
    if (before !== null && sameJson(before, after)) return;
    if (kind === definitionKind && before !== null) throw redefined(id);
    this.record({ type: "put", key: keyOf(kind, id), before, after });
  }

  patch<K extends BuiltInKind>(
    kind: K,
    id: string,
    attributes: Parameters<GraphUpdate["patch"]>[2],
  ): void {
    const present = this.state.resource(keyOf(kind, id));
    if (present === undefined) {
      throw new HalonError("HAL_NOT_FOUND", `There is no resource ${kind}/${id} to change.`, {
        details: { key: keyOf(kind, id) },
      });
    }
    this.put<string>(kind, id, { ...present.attributes, ...attributes } as JsonObject);
  }

  remove(kind: string, id: string): void {
    this.#assertOpen();
    const key = keyOf(kind, id);
    const before = this.state.resource(key)?.attributes;
    if (before === undefined) return;
    if (kind === definitionKind) this.#assertUnused(id);
    for (const relation of this.relations(key)) this.record({ type: "unrelate", relation });
    this.record({ type: "remove", key, before });
  }

  relate(from: ResourceKey, name: string, to: ResourceKey): void {
    this.join(from, name, to);
  }

  unrelate(from: ResourceKey, name: string, to: ResourceKey): void {
    this.part(from, name, to);
  }

  /** As `relate`; false: it was there. */
  join(from: ResourceKey, name: string, to: ResourceKey): boolean {
    this.#assertOpen();
    const { row, relation } = this.state.edge({ from, name, to });
    if (from === to) {
      throw new HalonError("HAL_BAD_REQUEST", `${from} cannot be related to itself by "${name}".`);
    }
    if (this.state.isRelated(row, relation.from, relation.to)) return false;
    this.state.cardinalities.check(row, relation.from, relation.to);
    this.record({ type: "relate", relation }, row);
    return true;
  }

  /** As `unrelate`; false: it was not there. */
  part(from: ResourceKey, name: string, to: ResourceKey): boolean {
    this.#assertOpen();
    relationRows(name);
    const present = this.state.present(from, name, to);
    if (present === undefined) return false;
    this.record({ type: "unrelate", relation: present.relation }, present.row);
    return true;
  }

  /** Makes a change that was checked; `row` is that of its relation. */
  record(change: Change, row?: RelationRow): void {
    this.state.perform(change, row);
    this.#changes.push(Object.freeze(change));
  }

  /** Undoes the latest changes until `count` are left. */
  undoTo(count: number): void {
    while (this.#changes.length > count) {
      const change = this.#changes.pop();
      if (change !== undefined) this.state.undo(change);
    }
  }

  close(): void {
    this.#assertOpen();
    this.#isClosed = true;
  }

  #assertOpen(): void {
    if (!this.#isClosed) return;
    throw new HalonError(
      "HAL_CONFLICT",
      "The transaction has ended; changes belong inside it, and it does not wait for promises.",
    );
  }

  #assertUnused(kind: string): void {
    const [resource] = this.list(kind);
    if (resource === undefined) return;
    throw new HalonError(
      "HAL_CONFLICT",
      `The kind ${kind} cannot be removed while ${kind}/${resource.id} is of it.`,
      { details: { kind, key: keyOf(kind, resource.id) } },
    );
  }
}

/** Throws HAL_BAD_REQUEST when this cannot be an id. */
export function assertId(kind: string, id: string): void {
  if (typeof id === "string" && id.length >= 1 && id.length <= idLengthMax) return;
  throw new HalonError(
    "HAL_BAD_REQUEST",
    `Expected the id of a ${kind} to have 1 to ${idLengthMax} characters, got ${JSON.stringify(id)}.`,
    { details: { kind, id } },
  );
}

function redefined(kind: string): HalonError {
  return new HalonError(
    "HAL_CONFLICT",
    `The kind ${kind} is already defined with another schema; remove its resources and the definition first.`,
    { details: { kind } },
  );
}
