import type { DecisionRecord, Origin } from "@halon/protocol";
import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";

/** What of a source stands in committed records. */
interface Taken {
  readonly incarnation: number;
  readonly sequence: number;
}

/** A number once given names the same event for ever: what a node lost would be taken for what it tells next. */
function sameNumbers(): NonNullable<ClusterInvariant["saw"]> {
  const sent = new Map<string, { readonly incarnation: number; readonly events: object[] }>();
  return (_scene, what) => {
    if (what.type !== "eventsSent") return;
    const { name, incarnation } = what.node;
    const last = sent.get(name);
    const of = last?.incarnation === incarnation ? last : { incarnation, events: [] };
    sent.set(name, of);
    for (const { sequence, event } of what.events) {
      const before = of.events[sequence];
      if (before !== undefined && before !== event)
        violated(
          "C2",
          `${name} sends ${event.type} as ${sequence}, which was another event before`,
        );
      of.events[sequence] = event;
    }
  };
}

/**
 * C2: each event that was acknowledged is in exactly one record; the numbers of a source have no gap and keep their events,
 * and an id of a client is taken once.
 */
export function exactlyOnce(): ClusterInvariant {
  const numbered = sameNumbers();
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
    saw(scene, what) {
      numbered(scene, what);
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
