import {
  builtInKinds,
  compareText,
  type GraphView,
  keyOf,
  type Relation,
  type Resource,
} from "@halon/protocol";
import { definitionKind } from "./kinds.ts";
import { StateView } from "./view.ts";

/** Every resource, sorted by key; kind definitions are among them. */
export function allResources(view: GraphView): readonly Resource[] {
  const userDefined = view.list<string>(definitionKind).map(({ id }) => id);
  // A slash sorts before every letter of a kind, so sorting kinds sorts keys.
  const kinds = [...Object.keys(builtInKinds), definitionKind, ...userDefined].sort(compareText);
  return kinds.flatMap((kind) => view.list<string>(kind));
}

/** Every relation, sorted by `from`, `name`, `to`. */
export function allRelations(view: GraphView): readonly Relation[] {
  return allResources(view).flatMap(({ kind, id }) => {
    const key = keyOf(kind, id);
    if (view instanceof StateView) return view.relationsFrom(key);
    return view.relations(key).filter(({ from }) => from === key);
  });
}
