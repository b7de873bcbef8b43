import type { Json } from "@halon/protocol";
import type { ClusterObserver } from "./cluster/invariants/cluster-invariant.ts";

/** A rule that fired, as the log has it. */
export interface Fired {
  /** Without its file. */
  readonly rule: string;
  readonly event: { readonly type: string; readonly data: Json };
  readonly why: string;
  /** Types of the commands that it sent. */
  readonly commands: readonly string[];
  readonly atMs: number;
}

/** Notes what rules decide, as it is committed. */
export function notesInto(fired: Fired[]): ClusterObserver {
  return {
    afterRecord: ({ world }, { decisions }) => {
      for (const { event, firings } of decisions)
        for (const { rule, why, commands } of firings)
          fired.push({
            rule: rule.slice(rule.indexOf("/") + 1),
            event,
            why,
            commands: commands.map(({ action }) => action.type),
            atMs: world.now / 1_000,
          });
    },
  };
}
