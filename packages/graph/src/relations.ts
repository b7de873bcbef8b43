import { type BuiltInKind, HalonError } from "@halon/protocol";

/** Read `from : to`; `1:n`: the far end has at most one near end, the near end any number of far ends. */
export type Cardinality = "1:1" | "1:n" | "n:1" | "n:m";

/** One kind of edge. A relation's name may stand in several rows, each with its own cardinality. */
export type RelationRow = {
  readonly name: string;
  readonly from: BuiltInKind;
  readonly to: BuiltInKind | "user-defined";
  readonly cardinality: Cardinality;
};

const row = (
  name: string,
  from: BuiltInKind,
  to: BuiltInKind | "user-defined",
  cardinality: Cardinality,
): RelationRow => Object.freeze({ name, from, to, cardinality });

/** The relations of rfc/0002; a test keeps both equal. */
export const relationTable: readonly RelationRow[] = Object.freeze([
  row("contains", "Cluster", "Host", "1:n"),
  row("contains", "Cluster", "Service", "1:n"),
  row("contains", "Cluster", "Deployment", "1:n"),
  row("contains", "Cluster", "RuleFile", "1:n"),
  row("contains", "Cluster", "Operation", "1:n"),
  row("hosts", "Host", "Node", "1:n"),
  row("provides", "Node", "ServiceName", "1:n"),
  row("supervises", "Supervisor", "Node", "1:1"),
  row("monitors", "Supervisor", "ServiceInstance", "n:m"),
  row("monitors", "Supervisor", "Supervisor", "n:m"),
  row("accepts", "Service", "Schema", "n:1"),
  row("deploys", "Deployment", "Service", "n:1"),
  row("places", "Deployment", "ServiceName", "1:n"),
  row("wants", "ServiceName", "Service", "n:1"),
  row("wants", "ServiceName", "Configuration", "n:1"),
  row("runs", "Node", "ServiceInstance", "1:n"),
  row("holds", "ServiceInstance", "ServiceName", "1:1"),
  row("instanceOf", "ServiceInstance", "Service", "n:1"),
  row("has", "ServiceInstance", "Configuration", "n:1"),
  row("conforms", "Configuration", "Schema", "n:m"),
  row("uses", "ServiceInstance", "user-defined", "1:n"),
]);

const rowsByName: ReadonlyMap<string, readonly RelationRow[]> = new Map(
  relationTable.map(({ name }) => [name, relationTable.filter((each) => each.name === name)]),
);

const noRows: readonly RelationRow[] = [];

/** The rows of a relation; HAL_BAD_REQUEST when there is no such relation. */
export function relationRows(name: string): readonly RelationRow[] {
  const rows = rowsByName.get(name);
  if (rows === undefined) {
    throw new HalonError(
      "HAL_BAD_REQUEST",
      `There is no relation ${JSON.stringify(name)}; expected one of ${[...rowsByName.keys()].join(", ")}.`,
      { details: { relation: name } },
    );
  }
  return rows;
}

/** The row of a relation between two kinds that exist; HAL_BAD_REQUEST when it does not join them. */
export function relationRow(
  name: string,
  from: string,
  to: string,
  isUserDefined: (kind: string) => boolean,
): RelationRow {
  const found = knownRow(name, from, to, isUserDefined);
  if (found === undefined) {
    const rows = relationRows(name);
    const allowed = rows.map((each) => `${each.from} to ${each.to}`).join(", ");
    throw new HalonError(
      "HAL_BAD_REQUEST",
      `The relation ${name} does not go from ${from} to ${to}; it goes from ${allowed}.`,
      { details: { relation: name, from, to } },
    );
  }
  return found;
}

/** As `relationRow`; undefined when the relation does not join these kinds. */
export function knownRow(
  name: string,
  from: string,
  to: string,
  isUserDefined: (kind: string) => boolean,
): RelationRow | undefined {
  for (const candidate of rowsOf(name))
    if (
      candidate.from === from &&
      (candidate.to === to || (candidate.to === "user-defined" && isUserDefined(to)))
    )
      return candidate;
  return undefined;
}

/** The rows of a relation; none when there is no such relation. */
export function rowsOf(name: string): readonly RelationRow[] {
  return rowsByName.get(name) ?? noRows;
}
