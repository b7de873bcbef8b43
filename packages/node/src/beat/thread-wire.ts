import type { Progress, ProgressCounters } from "./progress.ts";

/** What the beat thread is started with. */
export interface BeatThreadData {
  readonly node: string;
  readonly incarnation: number;
  /** The first bytes of the hash of the cluster's id. */
  readonly cluster: Uint8Array;
  readonly listen: { readonly host: string; readonly port: number };
  readonly progress: Progress;
}

/** Where a beat goes: an IP address of the socket's family. */
export interface BeatTarget {
  readonly address: string;
  readonly port: number;
}

/** A beat as the thread saw it come; `at` is in ms of `nowMs`. */
export interface ThreadArrival {
  readonly node: string;
  readonly incarnation: number;
  readonly at: number;
  readonly counters: ProgressCounters;
}

/** What the main thread tells the beat thread. */
export type ToBeatThread =
  /** `nodes` are names and known incarnations of those whose beats count. */
  | {
      readonly type: "peers";
      readonly targets: readonly BeatTarget[];
      readonly nodes: ReadonlyMap<string, number>;
    }
  /** Asks for all that came in so far, at once. */
  | { readonly type: "refresh"; readonly ref: number }
  | { readonly type: "stop" };

/** What the beat thread tells the main thread. */
export type FromBeatThread =
  /** It receives on this port; with a reason it cannot, and only sends. */
  | { readonly type: "bound"; readonly port: number; readonly reason: string | null }
  | { readonly type: "heard"; readonly arrivals: readonly ThreadArrival[] }
  | { readonly type: "refreshed"; readonly ref: number }
  /** It has turned later than it should have. */
  | { readonly type: "late"; readonly ms: number };
