import type { Socket } from "node:net";
import { isRunning, type ProcessId } from "../process/proc.ts";
import { type FromKeeper, receive, send } from "./wire.ts";

/** What a keeper tells, and its end: `gone` is the last, exactly once. */
export type KeeperEvent = FromKeeper | { readonly type: "gone" };

/** A keeper that runs, seen from `halond`. */
export interface Keeper {
  readonly id: ProcessId;
  renew(untilMs: number): void;
  /** It kills the instance and all that is left of it, and ends. */
  end(): void;
  /** Ends the keeper alone: of the instance nothing is left. */
  dismiss(): void;
  /** Lets go; it keeps the instance until its lease ends. */
  release(): void;
}

const lineCharsMax = 65_536;

/** The way to a keeper; who made it says when it is gone. */
export class KeeperLink implements Keeper {
  readonly id: ProcessId;
  readonly #socket: Socket;
  #listener: ((event: KeeperEvent) => void) | undefined;

  readonly #onRelease: () => void;

  constructor(
    id: ProcessId,
    socket: Socket,
    listener: (event: KeeperEvent) => void,
    onRelease: () => void = () => undefined,
  ) {
    this.id = id;
    this.#onRelease = onRelease;
    this.#socket = socket;
    this.#listener = listener;
    receive<FromKeeper>(socket, lineCharsMax, (message) => this.#listener?.(message));
  }

  renew(untilMs: number): void {
    send(this.#socket, { type: "renew", untilMs });
  }

  end(): void {
    send(this.#socket, { type: "end" });
  }

  dismiss(): void {
    if (!isRunning(this.id)) return;
    try {
      process.kill(this.id.pid, "SIGKILL");
    } catch {
      // It has just ended by itself.
    }
  }

  /** Nobody listens any more. */
  get isReleased(): boolean {
    return this.#listener === undefined;
  }

  release(): void {
    this.#listener = undefined;
    this.#socket.destroy();
    this.#onRelease();
  }

  /** Its process has ended, and all that it told has been heard. */
  gone(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.({ type: "gone" });
  }
}
