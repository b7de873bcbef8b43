import type { ReplicaDelta } from "./agent-messages.ts";

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
  /** A leader has taken this node in: it has the record `index`, the replica here `ownIndex`. */
  attached(_index: number, _ownIndex: number, _isLinked: boolean): readonly FollowEffect[] {
    throw new Error("not yet");
  }

  /** A delta has come from the leader. */
  delta(_delta: ReplicaDelta): readonly FollowEffect[] {
    throw new Error("not yet");
  }

  /** `apply` found a gap before this one. */
  missed(_delta: ReplicaDelta, _isLinked: boolean): readonly FollowEffect[] {
    throw new Error("not yet");
  }

  /** The replica has the graph of the leader. */
  fetched(): readonly FollowEffect[] {
    throw new Error("not yet");
  }

  notFetched(): readonly FollowEffect[] {
    throw new Error("not yet");
  }

  due(_isLinked: boolean): readonly FollowEffect[] {
    throw new Error("not yet");
  }
}
