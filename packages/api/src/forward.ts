import { ReadableStream } from "node:stream/web";
import { Duration, HalonError } from "@halon/protocol";
import type { HttpBindings } from "@hono/node-server";
import { type Dispatcher, errors, request } from "undici";
import { deadlineWithin } from "./deadline.ts";

/** Names the node that sent a request on; whoever gets one answers it or refuses it. */
export const forwardedHeader = "halon-forwarded";

/** For the way there and back; what the request itself may take comes on top. */
const forwardMs = 30_000;

/** How soon a change of leader is seen. */
const watchMs = 100;

class LeaderChanged extends Error {}

/** What of a request is for the next node: the rest is about this connection, or was checked here. */
const requestHeaders = ["accept", "content-type", "content-length", "content-encoding"] as const;
/** What of an answer belongs to one connection and not to the answer. */
const hopHeaders: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "date",
]);

/**
 * Sends a request on to the node that leads and gives its answer; both bodies are streamed.
 *
 * Errors: HAL_NO_LEADER where nothing was sent, HAL_UNREACHABLE and HAL_TIMEOUT where the outcome is unknown.
 */
export async function forward(
  { incoming, outgoing }: HttpBindings,
  options: {
    readonly endpoint: string;
    readonly node: string;
    readonly pathAndQuery: string;
    /** The body, where it was read already. */
    readonly body?: Buffer;
    /** Where the node leads that does now. */
    readonly leaderEndpoint: () => string | null;
  },
): Promise<Response> {
  const { endpoint, node, pathAndQuery, leaderEndpoint, body = incoming } = options;
  const deadlineMs = forwardMs + ownTimeoutMs(pathAndQuery);
  // A client that hangs up waits for nothing any more, and a leader that was paused answers nobody.
  const ended = new AbortController();
  const watch = setInterval(() => {
    if (leaderEndpoint() !== endpoint) ended.abort(new LeaderChanged());
  }, watchMs);
  outgoing.once("close", () => {
    clearInterval(watch);
    ended.abort();
  });
  const hasBody = incoming.method !== "GET" && incoming.method !== "HEAD";
  try {
    const answer = await request(`http://${endpoint}${pathAndQuery}`, {
      method: (incoming.method ?? "GET") as Dispatcher.HttpMethod,
      headers: { ...kept(incoming.headers), [forwardedHeader]: node },
      body: hasBody ? body : null,
      signal: deadlineWithin(deadlineMs, ended.signal),
      headersTimeout: 0,
      bodyTimeout: deadlineMs,
    });
    return responseOf(answer);
  } catch (error) {
    throw failureOf(error, endpoint, deadlineMs);
  }
}

/** What `?timeout=` allows; a wrong one is told by the node that leads. */
function ownTimeoutMs(pathAndQuery: string): number {
  const text = new URLSearchParams(pathAndQuery.split("?")[1] ?? "").get("timeout");
  const parsed = Duration.safeParse(text ?? "0s");
  return parsed.success ? Math.min(parsed.data, 3_600_000) : 0;
}

function kept(headers: HttpBindings["incoming"]["headers"]): Record<string, string> {
  return Object.fromEntries(
    requestHeaders.flatMap((name) => {
      const value = headers[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function responseOf({ statusCode, headers, body }: Dispatcher.ResponseData): Response {
  const shown = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || hopHeaders.has(name)) continue;
    shown.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  const isEmpty = statusCode === 204 || statusCode === 304;
  if (isEmpty) body.resume();
  const stream = isEmpty ? null : (ReadableStream.from(body) as ReadableStream);
  return new Response(stream, { status: statusCode, headers: shown });
}

/** Refused connections carried nothing: whoever asks may ask again, whatever it asked for. */
function failureOf(cause: unknown, endpoint: string, deadlineMs: number): unknown {
  if (cause instanceof Error && cause.name === "TimeoutError") {
    const message = `The leader at ${endpoint} did not answer within ${deadlineMs} ms; whether the request took effect is unknown.`;
    return new HalonError("HAL_TIMEOUT", message, { cause });
  }
  if (cause instanceof LeaderChanged) {
    const message = `Another node leads now than the one at ${endpoint}; whether the request took effect is unknown.`;
    return new HalonError("HAL_UNREACHABLE", message, { cause });
  }
  const code = (cause as NodeJS.ErrnoException | null)?.code ?? "";
  if (["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"].includes(code)) {
    const message = `The leader at ${endpoint} cannot be reached (${code}). Try again in a second.`;
    return new HalonError("HAL_NO_LEADER", message, { cause });
  }
  if (cause instanceof errors.UndiciError || code !== "") {
    const message = `The connection to the leader at ${endpoint} was lost (${code}); whether the request took effect is unknown.`;
    return new HalonError("HAL_UNREACHABLE", message, { cause });
  }
  return cause;
}
