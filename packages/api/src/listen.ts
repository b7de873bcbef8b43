import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { HalonError } from "@halon/protocol";
import type { Limits } from "./limits.ts";
import type { ApiPorts } from "./ports.ts";

export interface ListenOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly ports: ApiPorts;
  /** Host names, besides those of loopback, that requests may name; `--advertise` is one. */
  readonly allowedHosts: readonly string[];
  /** Called for upgrades whose Host and Origin are allowed; false: not mine, and the socket is ended. */
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;
  /** Told of bugs, which the client sees only as HAL_INTERNAL. */
  readonly onFault?: (error: unknown) => void;
  readonly limits?: Partial<Limits>;
}

/** The node's one listener. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Takes no more connections, gives running requests until the deadline, then cuts them. */
  close(deadlineMs?: number): Promise<void>;
}

/** Starts the listener; `HAL_PORT_IN_USE` when the address is taken. */
export async function listen(options: ListenOptions): Promise<Listener> {
  throw new HalonError("HAL_NOT_BUILT", `listening on ${options.host} is not built yet`);
}
