import type { ClusterSpec, ErrorData, PlannedActions } from "@halon/protocol";

/** What a plan is made of. */
export interface PlanData {
  /** Of the coordinator's state, as it was when it was asked. */
  readonly snapshot: string;
  readonly spec: ClusterSpec;
  /** Where the code of rule files is that the cluster has. */
  readonly dataDir: string;
  /** Where it is that the cluster has not, with its hashes. */
  readonly ownDir: string;
  readonly own: readonly string[];
  /** Rule files that made a coordinator hang: blob and reason. */
  readonly suspects: readonly { readonly blob: string; readonly reason: string }[];
}

/** What the thread of a plan tells; it ends after this. */
export type FromPlan =
  | { readonly type: "planned"; readonly actions: PlannedActions }
  | { readonly type: "failed"; readonly error: ErrorData };
