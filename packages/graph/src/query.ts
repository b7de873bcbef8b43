import { builtInKinds, type GraphView, HalonError, keyOf, type Resource } from "@halon/protocol";
import { isIndexed } from "./indexes.ts";
import { definitionKind, isBuiltIn } from "./kinds.ts";
import { type Filter, parseQuery, type Selector, type Step } from "./query-parser.ts";
import { relationRow, relationRows } from "./relations.ts";
import { compareResources } from "./view.ts";

/**
 * The resources at the end of a path such as `Node[name=node-1] -runs-> ServiceInstance[state=failed]`, each
 * once, sorted by id.
 *
 * `id` and `name` mean the id of a resource that has no such attribute. Throws HAL_BAD_REQUEST, with the position,
 * for what is not a query, and for kinds, attributes and relations that there are not.
 */
export function query(view: GraphView, expression: string): readonly Resource[] {
  const { first, steps } = parseQuery(expression);
  assertSelector(view, first);
  let from = first;
  let found = select(view, first);
  for (const step of steps) {
    assertSelector(view, step.to);
    assertRelation(from, step);
    found = follow(view, found, step);
    from = step.to;
  }
  return found.toSorted(compareResources);
}

function select(view: GraphView, { kind, filters }: Selector): readonly Resource[] {
  const named = filters.find(({ attribute }) => isBuiltIn(kind) && meansId(kind, attribute));
  if (named !== undefined) {
    const resource = view.get<string>(kind, named.value);
    return resource !== undefined && matches(resource, filters) ? [resource] : [];
  }
  const indexed = filters.filter(({ attribute }) => isIndexed(kind, attribute));
  const where = Object.fromEntries(indexed.map(({ attribute, value }) => [attribute, value]));
  return view.list<string>(kind, where).filter((resource) => matches(resource, filters));
}

function follow(view: GraphView, near: readonly Resource[], step: Step): readonly Resource[] {
  const found = new Map<string, Resource>();
  for (const { kind, id } of near) {
    const key = keyOf(kind, id);
    const far =
      step.direction === "out"
        ? view.out<string>(key, step.relation, step.to.kind)
        : view.in<string>(key, step.relation, step.to.kind);
    for (const resource of far) {
      if (matches(resource, step.to.filters))
        found.set(keyOf(resource.kind, resource.id), resource);
    }
  }
  return [...found.values()];
}

function matches({ id, attributes }: Resource, filters: readonly Filter[]): boolean {
  return filters.every(({ attribute, value }) => {
    if (Object.hasOwn(attributes, attribute)) return textOf(attributes[attribute]) === value;
    return (attribute === "id" || attribute === "name") && id === value;
  });
}

/** Lists and objects have no text, and match nothing. */
function textOf(value: unknown): string | undefined {
  return typeof value === "object" ? undefined : String(value);
}

function meansId(kind: keyof typeof builtInKinds, attribute: string): boolean {
  return (
    (attribute === "id" || attribute === "name") &&
    !Object.hasOwn(builtInKinds[kind].shape, attribute)
  );
}

function assertSelector(view: GraphView, { kind, position, filters }: Selector): void {
  if (!isBuiltIn(kind)) {
    if (kind === definitionKind || view.get<string>(definitionKind, kind) !== undefined) return;
    const known = [
      ...Object.keys(builtInKinds),
      ...view.list<string>(definitionKind).map(({ id }) => id),
    ];
    throw wrong(position, `there is no kind ${kind}; expected one of ${known.join(", ")}`);
  }
  const { shape } = builtInKinds[kind];
  for (const { attribute, position: at } of filters) {
    if (Object.hasOwn(shape, attribute) || meansId(kind, attribute)) continue;
    const known = Object.keys(shape).join(", ");
    throw wrong(at, `${kind} has no attribute ${attribute}; expected id, ${known}`);
  }
}

function assertRelation(near: Selector, { direction, relation, position, to }: Step): void {
  const [from, far] = direction === "out" ? [near.kind, to.kind] : [to.kind, near.kind];
  try {
    relationRows(relation);
    relationRow(relation, from, far, (kind) => !isBuiltIn(kind) && kind !== definitionKind);
  } catch (error) {
    if (error instanceof HalonError) throw wrong(position, error.message.replace(/\.$/, ""));
    throw error;
  }
}

function wrong(position: number, problem: string): HalonError {
  return new HalonError(
    "HAL_BAD_REQUEST",
    `The query is wrong at position ${position}: ${problem}.`,
    { details: { position } },
  );
}
