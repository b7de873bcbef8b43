import type { Setup } from "@halon/node/core";
import { violated } from "../../invariants/invariant.ts";
import { textOf } from "../bootstrap-disk.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";

interface Kept {
  /** The last that is known to be durable. */
  saved: Setup | null;
  /** What is being written. */
  saving: Setup | null;
}

/**
 * C20: a setup that anybody may rest on is not lost: a start finds the last one, or the one that was being written, and who
 * is told a configuration is in that of the node that tells it.
 */
export function setupsKept(): ClusterInvariant {
  const nodes = new Map<string, Kept>();
  const keptBy = (name: string): Kept => {
    const kept = nodes.get(name) ?? { saved: null, saving: null };
    nodes.set(name, kept);
    return kept;
  };
  return {
    id: "C20",
    name: "setups are kept",
    saw(_scene, what) {
      switch (what.type) {
        case "setupSaving":
          keptBy(what.node.name).saving = what.setup;
          return;
        case "setupSaved":
          nodes.set(what.node.name, { saved: what.setup, saving: null });
          return;
        case "setupLost":
          nodes.delete(what.node.name);
          return;
        case "setupFound": {
          const kept = keptBy(what.node.name);
          const isNew = kept.saving !== null && isOne(what.setup, kept.saving);
          if (!isNew && !isOne(what.setup, kept.saved))
            violated("C20", `${what.node.name} finds another setup than it has kept`);
          nodes.set(what.node.name, { saved: what.setup, saving: null });
          return;
        }
        case "helloAnswered": {
          const { saved } = keptBy(what.node.name);
          // A complete cluster takes satellites into its graph, and into no setup.
          if (saved?.phase === "complete") return;
          const ids = new Set(saved?.peers.map(({ id }) => id));
          const missing = what.config.peers.find(({ id }) => !ids.has(id));
          if (missing !== undefined)
            violated("C20", `${what.node.name} tells of ${missing.name}, and has not kept it`);
        }
      }
    },
  };
}

function isOne(found: Setup | null, kept: Setup | null): boolean {
  if (found === null || kept === null) return found === kept;
  return textOf(found) === textOf(kept);
}
