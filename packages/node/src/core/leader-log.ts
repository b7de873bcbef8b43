import type { ReplicaDelta } from "./agent-messages.ts";

const fetchRetryMs = 250;
/** Deltas that wait for the graph, at most; of more the first are left out, and the graph is fetched once more. */
const waitingMax = 10_000;

/** What the driver of a follower has to do. */
export type FollowEffect =
  /** Apply it to the replica; when one is missing before it, `missed`. */
  | { readonly type: "apply"; readonly delta: ReplicaDelta }
  /** Get the whole graph from the leader and put it in place; ends as `fetched` or `notFetched`. */
  | { readonly type: "fetch" }
  /** Give `due` after so long. */
  | { readonly type: "arm"; readonly key: "fetch"; readonly inMs: number };

/** How a satellite follows the leader's log: delta by delta, and anew where one is missing. */
export class LogFollower {
  #isFetching = false;
  /** Deltas that came while the graph is fetched. */
  #waiting: ReplicaDelta[] = [];

  /** A leader has taken this node in: it has the record `index`, the replica here `ownIndex`. */
  attached(index: number, ownIndex: number, isLinked: boolean): readonly FollowEffect[] {
    return index === ownIndex ? [] : this.#fetch(isLinked);
  }

  /** A delta has come from the leader. */
  delta(delta: ReplicaDelta): readonly FollowEffect[] {
    if (!this.#isFetching) return [{ type: "apply", delta }];
    this.#waiting.push(delta);
    if (this.#waiting.length > waitingMax) this.#waiting.shift();
    return [];
  }

  /** `apply` found a gap before this one. */
  missed(delta: ReplicaDelta, isLinked: boolean): readonly FollowEffect[] {
    return this.#isFetching ? this.delta(delta) : this.#fetch(isLinked);
  }

  /** The replica has the graph of the leader. */
  fetched(): readonly FollowEffect[] {
    this.#isFetching = false;
    return this.#waiting.splice(0).flatMap((delta) => this.delta(delta));
  }

  notFetched(): readonly FollowEffect[] {
    this.#isFetching = false;
    this.#waiting = [];
    return [{ type: "arm", key: "fetch", inMs: fetchRetryMs }];
  }

  due(isLinked: boolean): readonly FollowEffect[] {
    return this.#fetch(isLinked);
  }

  /** Without a link it is fetched when a leader has taken this node in. */
  #fetch(isLinked: boolean): readonly FollowEffect[] {
    if (this.#isFetching || !isLinked) return [];
    this.#isFetching = true;
    return [{ type: "fetch" }];
  }
}
