import { type CoordinatorState, encodeSnapshot } from "@halon/coordinator/core";
import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant, Scene } from "./cluster-invariant.ts";

/** Texts of so many states are kept for those who come later. */
const keptMax = 8;

/** C9: folding the records gives the state of the one who decided, at every node that follows; compared every so many. */
export function equalFolds(everyRecords = 64): ClusterInvariant {
  const texts = new Map<number, string>();
  const compare = (who: string, state: CoordinatorState, text = texts.get(state.index)): void => {
    if (text === undefined) return;
    const other = encodeSnapshot(state);
    if (other !== text)
      violated(
        "C9",
        `${who} has another state at record ${state.index}: ${differenceOf(text, other)}`,
      );
  };
  return {
    id: "C9",
    name: "folds are equal",
    afterRecord({ committed }, { index }) {
      if (index % everyRecords !== 0) return;
      texts.set(index, encodeSnapshot(committed));
      for (const oldest of texts.keys()) {
        if (texts.size <= keptMax) break;
        texts.delete(oldest);
      }
    },
    saw({ committed }, what) {
      // Mostly read back from a snapshot.
      if (what.type === "following" && what.state.index === committed.index)
        compare(what.node.name, what.state, encodeSnapshot(committed));
      if (what.type !== "folded" && what.type !== "committed" && what.type !== "following") return;
      if (what.state.index % everyRecords === 0) compare(what.node.name, what.state);
    },
    atEnd({ cluster, committed }: Scene) {
      texts.set(committed.index, encodeSnapshot(committed));
      for (const { name, coordinator } of cluster.nodes)
        if (coordinator?.isFollowing === true) compare(name, coordinator.folded);
    },
  };
}

/** Where two texts part, with what comes after. */
function differenceOf(one: string, other: string): string {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const from = Math.max(0, at - 60);
  return `…${one.slice(from, at + 60)}… and …${other.slice(from, at + 60)}…`;
}
