import type { DecisionRecord, Origin } from "@halon/protocol";
import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";

/** What of a source stands in committed records. */
interface Taken {
  readonly incarnation: number;
  readonly sequence: number;
}

/**
 * C2: each event that was acknowledged is in exactly one record; the numbers of a source have no gap, and an id of a
 * client is taken once.
 */
export function exactlyOnce(): ClusterInvariant {
  const sources = new Map<string, Taken>();
  const ids = new Set<string>();
  const take = (origin: Origin, { index }: DecisionRecord): void => {
    if (origin.type === "client") {
      if (ids.has(origin.id)) violated("C2", `record ${index} has ${origin.id} again`);
      ids.add(origin.id);
    }
    if (origin.type !== "sequence") return;
    const { source, incarnation, sequence } = origin;
    const last = sources.get(source) ?? { incarnation: 0, sequence: 0 };
    if (incarnation < last.incarnation)
      violated(
        "C2",
        `record ${index} has ${source}:${incarnation}:${sequence} after incarnation ${last.incarnation}`,
      );
    const expected = incarnation === last.incarnation ? last.sequence + 1 : 1;
    if (sequence !== expected)
      violated(
        "C2",
        `record ${index} has ${source}:${incarnation}:${sequence}, expected ${expected}`,
      );
    sources.set(source, { incarnation, sequence });
  };
  return {
    id: "C2",
    name: "events are taken exactly once",
    beforeRecord(_scene, record) {
      for (const { origin } of record.decisions) take(origin, record);
    },
    saw(_scene, what) {
      if (what.type !== "acknowledged") return;
      const { source, incarnation, sequence } = what;
      const taken = sources.get(source) ?? { incarnation: 0, sequence: 0 };
      const isTaken =
        taken.incarnation > incarnation ||
        (taken.incarnation === incarnation && taken.sequence >= sequence);
      if (!isTaken && sequence > 0)
        violated(
          "C2",
          `${source}:${incarnation}:${sequence} is acknowledged, and records have ${taken.incarnation}:${taken.sequence}`,
        );
    },
  };
}
