import type { CoordinatorState } from "@halon/coordinator/core";
import type { DecisionRecord } from "@halon/protocol";
import type { InvariantId } from "../../invariants/invariant.ts";
import type { World } from "../../world.ts";
import type { Happening } from "../happening.ts";
import type { ClusterWorld } from "../world.ts";

/** Numbers of the rules of the profiles `cluster` and `jobs` (rfc/0009). */
export type ClusterInvariantId = Extract<InvariantId, `${"C" | "J"}${number}`>;

/** What a rule sees when it is told something. */
export interface Scene {
  readonly world: World;
  readonly cluster: ClusterWorld;
  /** What all records fold to that are known to be committed. */
  readonly committed: CoordinatorState;
}

/** Who is told what happens in a cluster. */
export interface ClusterObserver {
  saw?(scene: Scene, what: Happening): void;
  /** A record is committed; each once, in order. `committed` has not folded it yet. */
  beforeRecord?(scene: Scene, record: DecisionRecord): void;
  /** As before, `committed` has folded it. */
  afterRecord?(scene: Scene, record: DecisionRecord): void;
  /** Once every simulated second in which something happens. */
  everySecond?(scene: Scene): void;
  /** After the healing: what is still missing, or null. */
  missing?(scene: Scene): string | null;
  /** The run is over: all is healed. */
  atEnd?(scene: Scene): void;
}

/**
 * One rule of the profile `cluster`.
 *
 * It keeps what it needs of what happens, and calls `violated` when the rule is broken.
 */
export interface ClusterInvariant extends ClusterObserver {
  readonly id: ClusterInvariantId;
  readonly name: string;
}
