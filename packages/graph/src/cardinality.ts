import { HalonError, type ResourceKey } from "@halon/protocol";
import type { RelationRow } from "./relations.ts";

type OtherEnd = Map<ResourceKey, ResourceKey>;

/**
 * The one partner of each end that may have one only.
 *
 * Kept beside the edges, because finding it among them costs the degree of the end: a service type has as
 * many incoming edges as it has instances.
 */
export class Cardinalities {
  /** Per row, far end to its near end. */
  readonly #near = new Map<RelationRow, OtherEnd>();
  /** Per row, near end to its far end. */
  readonly #far = new Map<RelationRow, OtherEnd>();

  /** Throws HAL_CARDINALITY when one more relation exceeds what its ends allow. */
  check(row: RelationRow, from: ResourceKey, to: ResourceKey): void {
    const near = this.#near.get(row)?.get(to);
    if (near !== undefined) throw exceeded(row, to, { from: near, to }, { from, to });
    const far = this.#far.get(row)?.get(from);
    if (far !== undefined) throw exceeded(row, from, { from, to: far }, { from, to });
  }

  /** Whether the relation is there; undefined for a row whose ends may have several. */
  has(row: RelationRow, from: ResourceKey, to: ResourceKey): boolean | undefined {
    if (hasOneNearEnd(row)) return this.#near.get(row)?.get(to) === from;
    if (hasOneFarEnd(row)) return this.#far.get(row)?.get(from) === to;
    return undefined;
  }

  /** The one that may stand at the far end. */
  far(row: RelationRow, from: ResourceKey): ResourceKey | undefined {
    return this.#far.get(row)?.get(from);
  }

  /** The one that may stand at the near end. */
  near(row: RelationRow, to: ResourceKey): ResourceKey | undefined {
    return this.#near.get(row)?.get(to);
  }

  add(row: RelationRow, from: ResourceKey, to: ResourceKey): void {
    if (hasOneNearEnd(row)) endsOf(this.#near, row).set(to, from);
    if (hasOneFarEnd(row)) endsOf(this.#far, row).set(from, to);
  }

  delete(row: RelationRow, from: ResourceKey, to: ResourceKey): void {
    if (hasOneNearEnd(row)) this.#near.get(row)?.delete(to);
    if (hasOneFarEnd(row)) this.#far.get(row)?.delete(from);
  }
}

/** Whether a far end has one partner at most. */
export function hasOneNearEnd({ cardinality }: RelationRow): boolean {
  return cardinality === "1:1" || cardinality === "1:n";
}

/** Whether a near end has one partner at most. */
export function hasOneFarEnd({ cardinality }: RelationRow): boolean {
  return cardinality === "1:1" || cardinality === "n:1";
}

function endsOf(ends: Map<RelationRow, OtherEnd>, row: RelationRow): OtherEnd {
  const present = ends.get(row);
  if (present !== undefined) return present;
  const created: OtherEnd = new Map();
  ends.set(row, created);
  return created;
}

interface Ends {
  readonly from: ResourceKey;
  readonly to: ResourceKey;
}

function exceeded(row: RelationRow, end: ResourceKey, present: Ends, asked: Ends): HalonError {
  return new HalonError(
    "HAL_CARDINALITY",
    `The relation ${row.name} is ${row.cardinality} from ${row.from} to ${row.to}: ${end} already stands in ` +
      `${present.from} -${row.name}-> ${present.to}, and ${asked.from} -${row.name}-> ${asked.to} was asked for. ` +
      "Remove the relation that is there first.",
    { details: { relation: row.name, cardinality: row.cardinality, present, asked } },
  );
}
