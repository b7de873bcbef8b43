import type { EventEmitter } from "eventemitter3";
import type { Logger } from "pino";
import type { Arrival } from "./arrival.ts";
import type { Progress } from "./progress.ts";

export interface BeatsOptions {
  readonly node: string;
  readonly incarnation: number;
  readonly clusterId: string;
  /** Where the listener is; the beats have the same port over UDP. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly log: Logger;
}

/** To whom this node beats, and whose beats it takes. */
export interface BeatPeers {
  /** `host:port` */
  readonly targets: readonly string[];
  /** Names and known incarnations: beats of others, and of earlier incarnations, are dropped. */
  readonly nodes: ReadonlyMap<string, number>;
}

export interface BeatEvents {
  /** At most 50 ms after the first of them came in. */
  heard: [arrivals: readonly Arrival[]];
}

/** The node's beats, seen from its main thread. */
export interface Beats {
  readonly events: EventEmitter<BeatEvents>;
  /** For the parts that count their turns. */
  readonly progress: Progress;
  /** The last beat of a node, as far as the thread has told. */
  last(node: string): Arrival | undefined;
  /** Resolves when all that came in so far has been told; false when the thread does not answer in time. */
  refresh(): Promise<boolean>;
  /** How late this node's own observation is now, in ms: what came in meanwhile may not have been seen. */
  lateMs(): number;
  setPeers(peers: BeatPeers): void;
  close(): Promise<void>;
}

/** Starts the beat thread; it runs until `close`, and is started again when it crashes. */
export function startBeats(_options: BeatsOptions): Beats {
  throw new Error("the beat thread is not built yet");
}
