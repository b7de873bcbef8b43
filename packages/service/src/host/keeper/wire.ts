import type { Socket } from "node:net";
import { readLines, writeLine } from "../lines.ts";
import type { ResourcePlace } from "../ocf/processes.ts";

/** In the directory of its service. A path to it may be longer than a socket's can be, so it is named from there. */
export const keeperSocket = "keeper.sock";
/** The descriptor of the keeper's way to the `halond` that started it. */
export const keeperFd = 3;

/** What a keeper is told. The first, and once, is `start`; secrets of the environment come this way, not as arguments. */
export type ToKeeper =
  | {
      readonly type: "start";
      /** Null: others start the instance, and it is only ended. */
      readonly command: readonly [string, ...string[]] | null;
      readonly env: Readonly<Record<string, string>>;
      /** When the lease ends, in ms of the machine's monotonic clock. */
      readonly untilMs: number;
      /** By what processes of the instance are known: the services directory and the instance. */
      readonly home: string;
      readonly instance: string;
      /** Of what an OCF agent starts, which is known in another way. */
      readonly resource?: ResourcePlace;
    }
  | { readonly type: "renew"; readonly untilMs: number }
  /** Kill what is left, and end. */
  | { readonly type: "end" };

/** What a keeper tells, to each who connects: `running` first, then what happens. */
export type FromKeeper =
  | { readonly type: "running"; readonly pid: number; readonly startTime: number }
  | { readonly type: "failed"; readonly code: string; readonly reason: string }
  /** The program; others of its group may live on. */
  | { readonly type: "exited"; readonly code: number | null; readonly signal: string | null }
  /** The lease is over; everything is being killed. */
  | { readonly type: "expired" };

export function send(socket: Socket, message: ToKeeper | FromKeeper): void {
  writeLine(socket, message);
}

/** Both ends are Halon's own and of one user: a socket in a directory that nobody else may enter. */
export function receive<T extends ToKeeper | FromKeeper>(
  socket: Socket,
  lineCharsMax: number,
  onMessage: (message: T) => void,
): void {
  readLines(socket, lineCharsMax, (message) => onMessage(message as T));
  // The other side has ended; what that means is said by its own end.
  socket.on("error", () => socket.destroy());
}
