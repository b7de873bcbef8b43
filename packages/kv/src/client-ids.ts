import type { ClientIds, KvState } from "./state.ts";
import { type Edit, Tree } from "./tree.ts";

/** How many ids a generation holds; between one and two generations are known. */
export const generationSize = 65_536;

/** The ids with one more. */
export function withClientId(ids: ClientIds, id: string, index: number, edit: Edit): ClientIds {
  if (ids.young.size < generationSize || ids.young.has(id)) {
    const young = ids.young.set(id, index, edit);
    return young === ids.young ? ids : { young, old: ids.old };
  }
  return { young: Tree.empty.set(id, index, edit), old: ids.young };
}

/** Highest index that carries each client id, 0 for one that is not known. */
export function inquire(state: KvState, ids: readonly string[]): readonly number[] {
  const { young, old } = state.clientIds;
  return ids.map((id) => {
    const index = young.get(id) ?? old.get(id);
    return typeof index === "number" ? index : 0;
  });
}
