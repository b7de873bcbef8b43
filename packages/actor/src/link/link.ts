import type { EventEmitter } from "eventemitter3";
import type { Signal } from "../signal.ts";
import type { BulkHandler, BulkOptions } from "./bulk.ts";
import type { Hello, LinkClass } from "./hello.ts";

/** `silent` comes before the `down` that it leads to. */
export interface LinkEvents {
  silent: [silentMs: number];
  down: [reason: string];
}

/** One connection to another node, after both hellos were accepted. */
export interface Link {
  readonly class: LinkClass;
  readonly peer: Hello;
  readonly events: EventEmitter<LinkEvents>;
  /** Null while it is up. */
  readonly downReason: string | null;
  /** Control only. Errors: HAL_TOO_LARGE, HAL_UNREACHABLE. */
  send(signal: Signal): void;
  /** Who takes what comes in; until it is set, frames wait. */
  receive(handler: (signal: Signal) => void): void;
  /** Bulk only: who answers requests of the peer. */
  serve(handlers: ReadonlyMap<string, BulkHandler>): void;
  /** Bulk only. */
  request(name: string, args: unknown, options?: BulkOptions): AsyncIterable<Uint8Array>;
  close(reason: string): void;
}
