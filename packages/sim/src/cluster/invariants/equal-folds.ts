import { type CoordinatorState, type Projections, projectionsOf } from "@halon/coordinator/core";
import { canonicalJson } from "@halon/protocol";
import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant, Scene } from "./cluster-invariant.ts";

/** So many states are kept for those who come later. */
const keptMax = 8;

/** C9: folding the records gives the state of the one who decided, at every node that follows; compared every so many. */
export function equalFolds(everyRecords = 64): ClusterInvariant {
  const states = new Map<number, Projections>();
  const compare = (
    who: string,
    state: CoordinatorState,
    expected = states.get(state.index),
  ): void => {
    if (expected === undefined) return;
    const found = projectionsOf(state);
    if (isEqual(expected, found)) return;
    const difference = differenceOf(canonicalJson(expected), canonicalJson(found));
    violated("C9", `${who} has another state at record ${state.index}: ${difference}`);
  };
  return {
    id: "C9",
    name: "folds are equal",
    afterRecord({ committed }, { index }) {
      if (index % everyRecords !== 0) return;
      states.set(index, projectionsOf(committed));
      for (const oldest of states.keys()) {
        if (states.size <= keptMax) break;
        states.delete(oldest);
      }
    },
    saw({ committed }, what) {
      if (what.type !== "folded" && what.type !== "committed" && what.type !== "following") return;
      // Mostly read back from a snapshot.
      if (what.type === "following" && what.state.index === committed.index)
        compare(what.node.name, what.state, projectionsOf(committed));
      else if (what.state.index % everyRecords === 0) compare(what.node.name, what.state);
    },
    atEnd({ cluster, committed }: Scene) {
      states.set(committed.index, projectionsOf(committed));
      for (const { name, coordinator } of cluster.nodes)
        if (coordinator?.isFollowing === true) compare(name, coordinator.folded);
    },
  };
}

/** Whether two JSON values have one canonical text; what both share is not looked into. */
function isEqual(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object") return false;
  if (one === null || other === null) return false;
  if (Array.isArray(one)) {
    if (!Array.isArray(other) || one.length !== other.length) return false;
    for (let at = 0; at < one.length; at += 1) if (!isEqual(one[at], other[at])) return false;
    return true;
  }
  if (Array.isArray(other)) return false;
  const left = one as Readonly<Record<string, unknown>>;
  const right = other as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(left)) if (!isEqual(left[name], right[name])) return false;
  // What is undefined counts as absent.
  for (const name of Object.keys(right))
    if (right[name] !== undefined && left[name] === undefined) return false;
  return true;
}

/** Where two texts part, with what comes after. */
function differenceOf(one: string, other: string): string {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const from = Math.max(0, at - 60);
  return `…${one.slice(from, at + 60)}… and …${other.slice(from, at + 60)}…`;
}
