import type { Socket } from "node:net";

/** In the directory of its service. A path to it may be longer than a socket's can be, so it is named from there. */
export const keeperSocket = "keeper.sock";
/** The descriptor of the keeper's way to the `halond` that started it. */
export const keeperFd = 3;

/** What a keeper is told. The first, and once, is `start`; secrets of the environment come this way, not as arguments. */
export type ToKeeper =
  | {
      readonly type: "start";
      readonly command: readonly [string, ...string[]];
      readonly env: Readonly<Record<string, string>>;
      /** When the lease ends, in ms of the machine's monotonic clock. */
      readonly untilMs: number;
      /** By what processes of the instance are known: the services directory and the instance. */
      readonly home: string;
      readonly instance: string;
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
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}

/** Calls back with each line as JSON; a line that is too long or no JSON ends the socket. */
export function receive<T extends ToKeeper | FromKeeper>(
  socket: Socket,
  lineCharsMax: number,
  onMessage: (message: T) => void,
): void {
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > lineCharsMax) socket.destroy();
    for (const line of lines) {
      const message = parse<T>(line);
      if (message === undefined) socket.destroy();
      else onMessage(message);
    }
  });
  // The other side has ended; what that means is said by its own end.
  socket.on("error", () => socket.destroy());
}

/** Both ends are Halon's own, of one user: a socket in a directory that nobody else may enter. */
function parse<T>(line: string): T | undefined {
  try {
    return JSON.parse(line) as T;
  } catch {
    return undefined;
  }
}
