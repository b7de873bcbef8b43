import type { ClientOptions, WebSocket } from "ws";
import type { Hello } from "./hello.ts";
import type { Link } from "./link.ts";

/** Says why a peer is refused, or null to take it. Runs after the hello was found to fit. */
export type PeerCheck = (peer: Hello) => string | null;

export interface AcceptOptions {
  readonly hello: Omit<Hello, "class">;
  readonly check?: PeerCheck;
}

export interface ConnectOptions {
  /** Such as `ws://10.0.0.1:7411/_link`. */
  readonly url: string;
  readonly hello: Hello;
  readonly check?: PeerCheck;
  /** Headers and TLS, handed to `ws`. */
  readonly client?: ClientOptions;
}

/** Path of the upgrade request of node links. */
export const linkPath = "/_link";
/** Options that every `WebSocketServer` of node links must have, besides `noServer`. */
export const linkServerOptions = { maxPayload: 4_194_304, perMessageDeflate: false } as const;

/** Takes a connection. Must be called in the tick in which the upgrade completed. Errors: HAL_LINK_REFUSED, HAL_TIMEOUT, HAL_UNREACHABLE. */
export declare function acceptLink(ws: WebSocket, options: AcceptOptions): Promise<Link>;
/** Opens a connection. Errors: HAL_LINK_REFUSED, HAL_TIMEOUT, HAL_UNREACHABLE. */
export declare function connectLink(options: ConnectOptions): Promise<Link>;
