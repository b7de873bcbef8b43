import type { Stage, StageOptions } from "@halon/sim";
import { ready } from "./running.ts";

/** The node that cannot decide. */
export const far = "node-4";

/** Three nodes that can decide and one that cannot, which tells of what happens. */
export function station(options: StageOptions = {}): Stage {
  return ready({ tracking: 3, satellites: 1, ...options });
}

/** The node tells the next of a row of events, each of which must be decided once. */
export function tell(stage: Stage, ...reports: readonly number[]): void {
  const service = { node: far, service: "web", instance: "web@node-4#1" };
  for (const report of reports) stage.emit(far, "ServiceReported", { ...service, report });
}

/** What was decided of that row, in the order of the log. */
export function told(stage: Stage): readonly number[] {
  return stage
    .fired("service-reported")
    .map(({ event }) => (event.data as { readonly report: number }).report);
}

/** 1 and on. */
export function upTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, before) => before + 1);
}

/** The node that decides; throws when none does. */
export function leaderOf(stage: Stage): string {
  const leader = stage.leader();
  if (leader === null) throw new Error("nobody decides");
  return leader;
}

/** Until another epoch than this one decides. */
export function takenOver(stage: Stage, epoch: number): void {
  stage.until(() => stage.epoch() > epoch);
}
