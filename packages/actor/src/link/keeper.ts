import type { EventEmitter } from "eventemitter3";
import type { Link } from "./link.ts";
import type { ConnectOptions } from "./open.ts";

export interface KeeperEvents {
  up: [link: Link];
  /** Was up and is not any more, or could not be opened. */
  down: [reason: string];
  refused: [reason: string];
}

/** Keeps one class of link to one peer open, with backoff, until closed. */
export interface LinkKeeper {
  readonly events: EventEmitter<KeeperEvents>;
  readonly link: Link | null;
  close(reason?: string): void;
}

/** Starts connecting at once; `options` is asked before every attempt, so address and incarnation may change. */
export declare function keepLink(options: () => ConnectOptions): LinkKeeper;
