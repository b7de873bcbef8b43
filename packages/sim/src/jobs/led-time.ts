import type { Happening } from "../cluster/happening.ts";
import { clusterOf, type SimNode } from "../cluster/world.ts";
import { linkOf } from "../network.ts";
import type { World } from "../world.ts";

/** What has passed up to a moment; two of them tell what passed between. */
export interface Passed {
  /** µs. */
  readonly us: number;
  /** Without anyone who could decide; µs. */
  readonly unledUs: number;
  /** Such times that have ended. */
  readonly gaps: number;
  /** When the last of them did; µs. */
  readonly gapEndUs: number;
  readonly takeovers: number;
}

/**
 * How long nobody could decide: no coordinator leads whose node runs and reaches a majority.
 *
 * It is looked at every `lookEveryUs`; what lies between two looks counts as led when the first one saw a leader.
 */
export class LedTime {
  #unledUs = 0;
  #gaps = 0;
  #gapEndUs = Number.NEGATIVE_INFINITY;
  #isLed = false;
  #lookedUs = 0;
  #takeovers = 0;
  /** When each record was decided, by epoch and index. */
  readonly #decided = new Map<string, Passed>();

  /** To be called as time passes. */
  look(world: World): void {
    if (!this.#isLed) this.#unledUs += world.now - this.#lookedUs;
    this.#lookedUs = world.now;
    const wasLed = this.#isLed;
    this.#isLed = isLed(world);
    if (wasLed || !this.#isLed) return;
    this.#gaps += 1;
    this.#gapEndUs = world.now;
  }

  saw(world: World, what: Happening): void {
    switch (what.type) {
      case "leading":
        this.#takeovers += 1;
        this.look(world);
        return;
      case "coordinatorEnded":
      case "nodeEnded":
        this.look(world);
        return;
      case "appending": {
        const key = `${what.epoch}/${what.index}`;
        // One that found no room is asked for again.
        if (!this.#decided.has(key)) this.#decided.set(key, this.now(world));
        return;
      }
    }
  }

  now(world: World): Passed {
    const more = this.#isLed ? 0 : world.now - this.#lookedUs;
    const unledUs = this.#unledUs + more;
    return {
      us: world.now,
      unledUs,
      gaps: this.#gaps,
      gapEndUs: this.#gapEndUs,
      takeovers: this.#takeovers,
    };
  }

  /** When the record was decided; the moment itself where that was not seen. */
  decided(
    world: World,
    { epoch, index }: { readonly epoch: number; readonly index: number },
  ): Passed {
    return this.#decided.get(`${epoch}/${index}`) ?? this.now(world);
  }
}

function isLed(world: World): boolean {
  return clusterOf(world).nodes.some(
    (node) => decides(world, node) && reachesMajority(world, node),
  );
}

function runs(world: World, { status, member }: SimNode): boolean {
  return status === "up" && member.status === "up" && member.pausedUntil <= world.now;
}

function decides(world: World, node: SimNode): boolean {
  const { coordinator, member } = node;
  if (coordinator === null || coordinator.decider === null || !runs(world, node)) return false;
  return coordinator.hungUntil <= world.now && member.process?.raft.role === "leader";
}

function reachesMajority(world: World, { slot }: SimNode): boolean {
  const { cuts } = world.network;
  const tracking = clusterOf(world).nodes.filter(({ role }) => role === "tracking");
  const reached = tracking.filter(
    (other) =>
      other.slot === slot ||
      (runs(world, other) &&
        (cuts[linkOf(slot, other.slot)] ?? 0) === 0 &&
        (cuts[linkOf(other.slot, slot)] ?? 0) === 0),
  );
  return 2 * reached.length > tracking.length;
}
