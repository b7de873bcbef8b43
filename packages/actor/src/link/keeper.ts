import { HalonError } from "@halon/protocol";
import { EventEmitter } from "eventemitter3";
import { backoffMs } from "../core/silence.ts";
import type { Link } from "./link.ts";
import { type ConnectOptions, connectLink } from "./open.ts";

/** What becomes of the attempts of a keeper. */
export interface KeeperEvents {
  up: [link: Link];
  /** Was up and is not any more, or could not be opened. */
  down: [reason: string];
  refused: [reason: string];
}

/** Keeps one class of link to one peer open, with backoff, until closed. */
export interface LinkKeeper {
  readonly events: EventEmitter<KeeperEvents>;
  /** Null while there is none. */
  readonly link: Link | null;
  /** The peer is known to be there: does not wait for the next attempt. */
  hurry(): void;
  close(reason?: string): void;
}

/** Starts connecting in the next tick; `options` is asked before every attempt, so address and hello may change. */
export function keepLink(options: () => ConnectOptions): LinkKeeper {
  const events = new EventEmitter<KeeperEvents>();
  let link: Link | null = null;
  let closed: string | null = null;
  let attempt = 0;
  /** Null while an attempt is under way, or a link is up. */
  let timer: NodeJS.Timeout | null = setTimeout(() => void connect(), 0);

  async function connect(): Promise<void> {
    timer = null;
    let opened: Link;
    try {
      opened = await connectLink(options());
    } catch (error) {
      if (closed !== null) return;
      const reason = error instanceof Error ? error.message : String(error);
      const isRefused = error instanceof HalonError && error.code === "HAL_LINK_REFUSED";
      events.emit(isRefused ? "refused" : "down", reason);
      retry();
      return;
    }
    if (closed !== null) opened.close(closed);
    else keep(opened);
  }

  function keep(opened: Link): void {
    link = opened;
    const upAt = performance.now();
    opened.events.once("down", (reason) => {
      link = null;
      // A link that breaks as soon as it is up is no reason to hurry.
      if (performance.now() - upAt > 1_000) attempt = 0;
      events.emit("down", reason);
      retry();
    });
    events.emit("up", opened);
  }

  function retry(): void {
    if (closed !== null) return;
    timer = setTimeout(() => void connect(), backoffMs(attempt, Math.random()));
    attempt += 1;
  }

  return {
    events,
    get link() {
      return link;
    },
    hurry() {
      attempt = 0;
      if (timer === null) return;
      clearTimeout(timer);
      void connect();
    },
    close(reason = "closed") {
      if (closed !== null) return;
      closed = reason;
      if (timer !== null) clearTimeout(timer);
      timer = null;
      link?.close(reason);
    },
  };
}
