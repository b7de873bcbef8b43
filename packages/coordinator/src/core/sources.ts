import { events } from "@halon/protocol";
import type { EventInput, Reply } from "./intake.ts";
import type { CoordinatorState } from "./state.ts";

/** What a source is told of the events that it sent. */
export type SourceAnswer =
  /** All up to and with this one are taken. */
  | { readonly type: "ack"; readonly sequence: number }
  /** It is to send again from this one. */
  | { readonly type: "gap"; readonly expected: number };

/** Of many that came together, so often one speaks for those up to it. */
const spokenEvery = 1_000;

/**
 * What the reply to one of the numbered events that came together tells their source; null for nothing.
 *
 * `last` is the sequence of the last of them, which speaks for all. Where it does not fit any more, others have spoken
 * before it: a source that heard of none would send all of them again, and they would never fit.
 */
export function answerOf(reply: Reply, sequence: number, last: number): SourceAnswer | null {
  if (reply.type === "gap") return { type: "gap", expected: reply.expected };
  const speaks = sequence === last || sequence % spokenEvery === 0;
  return reply.type !== "refused" && speaks ? { type: "ack", sequence } : null;
}

/** The last sequence of the source that the state has taken; 0 for none of this incarnation. */
export function watermarkOf(
  { watermarks }: Pick<CoordinatorState, "watermarks">,
  source: string,
  incarnation: number,
): number {
  const known = watermarks.get(source);
  return known?.incarnation === incarnation ? known.sequence : 0;
}

/** What a coordinator that begins to lead observes of itself: the cluster that it creates where there is none. */
export function firstObservation(
  { graph }: Pick<CoordinatorState, "graph">,
  newCluster: { readonly id: string; readonly name: string },
): EventInput | null {
  if (graph.list("Cluster").length > 0) return null;
  const { id: cluster, name } = newCluster;
  return { type: events.ClusterCreated.type, version: 1, data: { cluster, name } };
}
