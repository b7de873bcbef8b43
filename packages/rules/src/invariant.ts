import type { GraphView } from "@halon/protocol";

/** What an invariant may look at. */
export interface InvariantContext {
  /** It cannot be changed through this. */
  readonly graph: GraphView;
  /** Log time in ms. */
  readonly now: number;
}

/** Something that has to hold of the graph after each record. */
export interface Invariant {
  readonly kind: "invariant";
  readonly name: string;
  /** Kinds of resource that it looks at. */
  readonly reads: readonly string[];
  readonly holds: (context: InvariantContext) => true | string;
}

/** The kind of the resources that say which invariants are broken. */
const ownKind = "Invariant";
const nameForm = /^[A-Za-z][A-Za-z0-9-]{0,62}$/;
const readsMax = 32;

/**
 * Declares what has to hold of the graph.
 *
 * `holds` gives true, or why it does not. It is asked at the end of each record that changed a resource of a kind in `reads`, and at
 * no other time; it decides nothing. Throws a TypeError on a bad name, and on `reads` that it can never be asked for.
 */
export function defineInvariant(
  name: string,
  { reads, holds }: Pick<Invariant, "reads" | "holds">,
): Invariant {
  const refuse = (what: string): never => {
    throw new TypeError(`invariant ${name}: ${what}`);
  };
  if (!nameForm.test(name)) refuse("its name is a letter, then at most 62 letters, digits and -");
  if (reads.length === 0 || reads.length > readsMax)
    refuse(`reads names ${reads.length} kinds; name 1 to ${readsMax}, such as ServiceInstance`);
  if (reads.includes(ownKind))
    refuse(`reads names ${ownKind}, which says what the invariants themselves have come to`);
  if (typeof holds !== "function") refuse("holds is no function");
  return { kind: "invariant", name, reads: [...reads], holds };
}
