import type { CoordinatorState } from "@halon/coordinator/core";
import type { Thread } from "./threads.ts";

/** What waits for the coordinator's thread. */
export type CoordinatorInput = { readonly type: "due"; readonly key: string };

/** One start of the coordinator of a tracking node: a standby first, and then perhaps the one that decides. */
export interface SimCoordinator extends Thread<CoordinatorInput> {
  /** Under which it decides; 0 while it is a standby. */
  readonly epoch: number;
  /** As far as it has folded or decided; what it decided may not be durable. */
  readonly state: CoordinatorState;
}
