import { HalonError } from "@halon/protocol";
import { type ClientOptions, type RawData, WebSocket } from "ws";
import {
  type Hello,
  type HelloOutcome,
  helloMismatch,
  type LinkClass,
  parseHello,
} from "../core/hello.ts";
import { decodeFrame, encode, FrameWriter, frameBytesMax } from "./frame.ts";
import { closeText, type Link, reasonBytes, WsLink } from "./link.ts";

/** Says why a peer is refused, or null to take it. Runs after the hello was found to fit. */
export type PeerCheck = (peer: Hello) => string | null;

/** What the accepting side says and asks. */
export interface AcceptOptions {
  readonly hello: Omit<Hello, "class">;
  /** Classes that are taken here; `control` and `bulk` when left out. */
  readonly classes?: readonly LinkClass[];
  readonly check?: PeerCheck;
}

/** What the connecting side says and asks. */
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
export const linkServerOptions = {
  maxPayload: frameBytesMax.control,
  perMessageDeflate: false,
} as const;

const nodeClasses: readonly LinkClass[] = ["control", "bulk"];
const helloMs = 5_000;
const refusedCode = 4001;

/**
 * Takes a connection. Must be called in the tick in which the upgrade completed, or frames are lost.
 *
 * Errors: HAL_LINK_REFUSED, HAL_TIMEOUT, HAL_UNREACHABLE.
 */
export async function acceptLink(ws: WebSocket, options: AcceptOptions): Promise<Link> {
  return shakeHands(ws, (outcome) => {
    const peer = accepted(ws, outcome, options.hello, options.check);
    if (!(options.classes ?? nodeClasses).includes(peer.class))
      throw refusal(ws, `class ${peer.class} is not taken here`);
    sendHello(ws, { ...options.hello, class: peer.class });
    return peer;
  });
}

/** Opens a connection. Errors: HAL_LINK_REFUSED, HAL_TIMEOUT, HAL_UNREACHABLE. */
export async function connectLink(options: ConnectOptions): Promise<Link> {
  const { hello } = options;
  const ws = new WebSocket(options.url, {
    ...options.client,
    handshakeTimeout: helloMs,
    maxPayload: frameBytesMax[hello.class],
    perMessageDeflate: false,
    generateMask: noMask,
  });
  ws.once("open", () => sendHello(ws, hello));
  return shakeHands(ws, (outcome) => {
    const peer = accepted(ws, outcome, hello, options.check);
    if (peer.class !== hello.class)
      throw refusal(ws, `class ${peer.class} where ${hello.class} was opened`);
    return peer;
  });
}

/** Masks protect what stands between browsers and servers; here they would cost a pass over all bytes on each side. */
function noMask(mask: Buffer): void {
  mask.fill(0);
}

/** Waits for the peer's hello; the link exists before anything that follows is read. */
function shakeHands(ws: WebSocket, judge: (outcome: HelloOutcome) => Hello): Promise<Link> {
  return new Promise((resolve, reject) => {
    const fail = (error: HalonError): void => {
      stop();
      ws.on("error", () => undefined);
      setTimeout(() => ws.terminate(), 500).unref();
      reject(error);
    };
    const onMessage = (data: RawData, isBinary: boolean): void => {
      try {
        const peer = judge(readHello(data, isBinary));
        stop();
        resolve(new WsLink(ws, peer));
      } catch (error) {
        fail(error instanceof HalonError ? error : new HalonError("HAL_INTERNAL", String(error)));
      }
    };
    const onClose = (code: number, reason: Buffer): void =>
      fail(closeError(code, reason.toString()));
    const onError = (error: Error): void =>
      fail(
        new HalonError("HAL_UNREACHABLE", `No link: ${error.message || String(error)}.`, {
          cause: error,
        }),
      );
    const timer = setTimeout(() => {
      fail(new HalonError("HAL_TIMEOUT", `The peer said no hello within ${helloMs} ms.`));
      ws.terminate();
    }, helloMs);
    function stop(): void {
      clearTimeout(timer);
      ws.off("message", onMessage);
      ws.off("close", onClose);
      ws.off("error", onError);
    }
    ws.on("message", onMessage);
    ws.on("close", onClose);
    ws.on("error", onError);
  });
}

function readHello(data: RawData, isBinary: boolean): HelloOutcome {
  const frame = isBinary && data instanceof Uint8Array ? decodeFrame(data) : null;
  return parseHello(frame?.length === 1 ? frame[0] : null);
}

function accepted(
  ws: WebSocket,
  outcome: HelloOutcome,
  own: Omit<Hello, "class">,
  check: PeerCheck | undefined,
): Hello {
  if (outcome.type === "refused") throw refusal(ws, outcome.why);
  const why = helloMismatch(own, outcome.hello) ?? check?.(outcome.hello) ?? null;
  if (why !== null) throw refusal(ws, why);
  return outcome.hello;
}

function refusal(ws: WebSocket, why: string): HalonError {
  ws.close(refusedCode, reasonBytes(why));
  return new HalonError("HAL_LINK_REFUSED", `This node refused a link: ${why}.`);
}

function closeError(code: number, reason: string): HalonError {
  return code === refusedCode
    ? new HalonError("HAL_LINK_REFUSED", `The peer refused the link: ${reason}.`)
    : new HalonError("HAL_UNREACHABLE", `No link: ${closeText(code, reason)}.`);
}

function sendHello(ws: WebSocket, hello: Hello): void {
  const writer = new FrameWriter(frameBytesMax.control);
  const { protocol, cluster, node, incarnation, class: linkClass, address } = hello;
  writer.add(encode({ protocol, cluster, node, incarnation, class: linkClass, address }));
  ws.send(writer.take());
}
