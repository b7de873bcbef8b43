import { violated } from "../../invariants/invariant.ts";
import { Operators } from "../wishes.ts";
import type { ClusterInvariant, Scene } from "./cluster-invariant.ts";

/**
 * C15: what a person asked for has an end: done, or refused with a reason.
 *
 * What was answered as taken is in a record under its id, and has an operation; one that runs has a timer that ends it (C7).
 */
export function wishesEnd(): ClusterInvariant {
  const taken = new Set<string>();
  return {
    id: "C15",
    name: "wishes have an end",
    beforeRecord(_scene, { decisions }) {
      for (const { origin } of decisions) if (origin.type === "client") taken.add(origin.id);
    },
    everySecond(scene) {
      for (const { id, index } of askedOf(scene))
        if (index !== null && !taken.has(id))
          violated("C15", `${id} was answered as taken, and no record has it`);
    },
    missing(scene) {
      const open = askedOf(scene).find(({ index, refusal }) => index === null && refusal === null);
      return open === undefined ? null : `${open.id} (${open.type}) has no answer`;
    },
    atEnd(scene) {
      const { graph } = scene.committed;
      for (const { id, index, type } of askedOf(scene)) {
        const operation = index === null ? undefined : graph.get("Operation", id)?.attributes;
        if (operation?.state === "failed" && operation.reason === undefined)
          violated("C15", `${id} (${type}) has failed without a reason`);
      }
    },
  };
}

function askedOf({ cluster }: Scene): Operators["asked"] {
  return cluster.operators instanceof Operators ? cluster.operators.asked : [];
}
