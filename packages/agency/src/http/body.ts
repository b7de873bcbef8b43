import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { attempt, type Call } from "./call.ts";

/** The text of a body, or why there is none. */
export type BodyOutcome =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "refused"; readonly status: 400 | 413; readonly message: string };

/** Largest body of a request. */
export const bodyBytesMax = 8 * 1024 * 1024;

/** How much of a body that is too large is taken and dropped, and after what silence no more of it. */
const dropped = { bytesMax: 256 * 1024 * 1024, silentMs: 200 };

/**
 * Collects a body and reads it as UTF-8, strictly; calls back once, or never when the client goes away before.
 *
 * A callback rather than a promise: a body that is there costs no turn of the microtask queue. The rest of one that is
 * too large is dropped unseen before the refusal, since a client that still writes may never see an answer.
 */
export function readBody(call: Call, use: (outcome: BodyOutcome) => void | Promise<void>): void {
  const { request } = call;
  const done = (outcome: BodyOutcome) => attempt(call, () => use(outcome));
  if (request.headers["content-encoding"] !== undefined) {
    done(refused(400, "Compressed bodies are not supported. Send it plain."));
    return;
  }
  if (Number(request.headers["content-length"] ?? 0) > bodyBytesMax) {
    drop(request, done);
    return;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  const onData = (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes <= bodyBytesMax) return;
    request.off("data", onData).off("end", onEnd);
    drop(request, done);
  };
  const onEnd = () => {
    const [first] = chunks;
    done(decoded(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)));
  };
  request.on("data", onData).on("end", onEnd);
}

function decoded(bytes: Buffer): BodyOutcome {
  if (isUtf8(bytes)) return { type: "text", text: bytes.toString("utf8") };
  return refused(400, "The body is not UTF-8.");
}

function drop(request: IncomingMessage, done: (outcome: BodyOutcome) => void): void {
  let bytes = 0;
  const refuse = () => {
    clearTimeout(timer);
    request.off("data", onData).off("end", refuse).off("close", forget).pause();
    done(refused(413, `The body is larger than the limit of ${bodyBytesMax} bytes.`));
  };
  const forget = () => clearTimeout(timer);
  const timer = setTimeout(refuse, dropped.silentMs);
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    timer.refresh();
    if (bytes > dropped.bytesMax) refuse();
  };
  request.on("data", onData).on("end", refuse).on("close", forget);
}

function refused(status: 400 | 413, message: string): BodyOutcome {
  return { type: "refused", status, message };
}
