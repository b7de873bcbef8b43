import { type CoordinatorState, emptyState, fold } from "@halon/coordinator/core";
import type { DecisionRecord } from "@halon/protocol";
import { violated } from "../../invariants/invariant.ts";
import type { World } from "../../world.ts";
import { clusterCounting } from "../counting.ts";
import type { ClusterRules, Happening } from "../happening.ts";
import { clusterOf } from "../world.ts";
import type { ClusterInvariant, ClusterObserver, Scene } from "./cluster-invariant.ts";

const second = 1_000_000;

/** All rules of one run, and the state that its committed records fold to. */
export class ClusterRuleSet implements ClusterRules {
  readonly all: readonly ClusterInvariant[];
  readonly committed = emptyState();
  private readonly observers: readonly ClusterObserver[];
  private scene: Scene | null = null;
  private lookedUs = 0;

  /** `more` look on as well, and judge nothing. */
  constructor(all: readonly ClusterInvariant[], more: readonly ClusterObserver[] = []) {
    this.all = all;
    this.observers = [...all, clusterCounting(), ...more];
  }

  saw(world: World, what: Happening): void {
    const scene = this.sceneOf(world);
    world.trace.saw(world.now, what);
    if (what.type === "folded" || what.type === "committed") this.take(scene, what.record);
    for (const rule of this.observers) rule.saw?.(scene, what);
    if (world.now - this.lookedUs < second) return;
    this.lookedUs = world.now;
    for (const rule of this.all) rule.everySecond?.(scene);
  }

  missing(world: World): string | null {
    const scene = this.sceneOf(world);
    for (const rule of this.all) {
      const what = rule.missing?.(scene) ?? null;
      if (what !== null) return `${rule.id}: ${what}`;
    }
    return null;
  }

  atEnd(world: World): void {
    const scene = this.sceneOf(world);
    for (const rule of this.all) rule.atEnd?.(scene);
  }

  /** A record is committed when the first who may rest on it tells of it; the others tell of it again. */
  private take(scene: Scene, record: DecisionRecord): void {
    const { committed } = this;
    if (record.index <= committed.index) return;
    if (record.index > committed.index + 1)
      violated("C9", `record ${record.index} is committed, and nobody had ${committed.index + 1}`);
    for (const rule of this.observers) rule.beforeRecord?.(scene, record);
    foldInto(committed, record);
    for (const rule of this.observers) rule.afterRecord?.(scene, record);
  }

  private sceneOf(world: World): Scene {
    this.scene ??= { world, cluster: clusterOf(world), committed: this.committed };
    return this.scene;
  }
}

/** The graph refuses what would break it, whoever wrote it into a record. */
function foldInto(state: CoordinatorState, record: DecisionRecord): void {
  try {
    fold(state, record);
  } catch (error) {
    const what = error instanceof Error ? error.message : `${error}`;
    violated("C8", `record ${record.index} cannot be folded: ${what}`);
  }
}
