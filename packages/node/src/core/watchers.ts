import { type GraphView, keyOf } from "@halon/protocol";

/** Who watches a node while no supervisors are set over each other. */
const watchersMax = 2;

/** Of each node that is not down, the other nodes that get its beats besides the leader. */
export function watchersOf(view: GraphView): ReadonlyMap<string, readonly string[]> {
  const names = view
    .list("Node")
    .filter(({ attributes }) => attributes.state !== "down")
    .map(({ id }) => id);
  const present = new Set(names);
  return new Map(
    names.map((name, index) => {
      const set = view
        .in(keyOf("Supervisor", name), "monitors", "Supervisor")
        .map(({ id }) => id)
        .filter((id) => id !== name && present.has(id));
      if (set.length > 0) return [name, set];
      // Those that follow by name, so that each watches as many as watch it.
      const following = [...names.slice(index + 1), ...names.slice(0, index)];
      return [name, following.slice(0, watchersMax)];
    }),
  );
}
