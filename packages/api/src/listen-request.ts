import type { IncomingMessage, ServerResponse } from "node:http";
import { HalonError } from "@halon/protocol";
import { refusalOf } from "./admit.ts";
import { errorBodyOf } from "./error-body.ts";
import type { Limits } from "./limits.ts";
import type { ListenOptions } from "./listen.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** How many Host headers that were found to be allowed are remembered. */
const hostsMax = 64;

/** What answers a request: `onRequest` if it takes it, then the routes of the node. */
export async function requestListener(
  options: ListenOptions,
  limits: Limits,
  closing: AbortSignal,
): Promise<Answer> {
  const { onRequest } = options;
  const answer = await routesOf(options, limits, closing);
  if (onRequest === undefined) return answer;
  const isAdmitted = admission(options.allowedHosts, limits.headerCountMax);
  return (request, response) => {
    // What is not admitted is refused by the routes, in their words.
    if (!isAdmitted(request) || !onRequest(request, response)) answer(request, response);
  };
}

async function routesOf(
  options: ListenOptions,
  limits: Limits,
  closing: AbortSignal,
): Promise<Answer> {
  const { ports, allowedHosts } = options;
  if (ports === undefined) return (request, response) => refuse(request, response, allowedHosts);
  // Loaded only where they are used: a member of an agency has no use for the megabytes of their libraries.
  const [{ getRequestListener }, { createApp }] = await Promise.all([
    import("@hono/node-server"),
    import("./app.ts"),
  ]);
  const app = createApp({
    ports,
    limits,
    closing,
    allowedHosts,
    onFault: (error) => options.onFault?.(error),
  });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return (request, response) => void listener(request, response);
}

/** The checks of every route, for those that are too frequent to have a URL parsed twice each. */
function admission(
  allowedHosts: readonly string[],
  headerCountMax: number,
): (request: IncomingMessage) => boolean {
  const known = new Set<string>();
  return ({ headers, rawHeaders }) => {
    if (rawHeaders.length / 2 > headerCountMax) return false;
    const { host, origin } = headers;
    if (origin === undefined && host !== undefined && known.has(host)) return true;
    if (refusalOf(headers, allowedHosts) !== null) return false;
    if (host !== undefined && known.size < hostsMax) known.add(host);
    return true;
  };
}

/** Where there are no routes but those of `onRequest`. */
function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  allowedHosts: readonly string[],
): void {
  const path = (request.url ?? "").split("?")[0]?.slice(0, 200);
  const error =
    refusalOf(request.headers, allowedHosts) ??
    new HalonError("HAL_NOT_FOUND", `There is no route ${path}.`);
  const body = errorBodyOf(error);
  const text = Buffer.from(JSON.stringify(body));
  response.writeHead(body.code, {
    "Content-Type": "application/json",
    "Content-Length": text.length,
    "X-Content-Type-Options": "nosniff",
    // Whatever it still sends is not read.
    Connection: "close",
  });
  response.end(text);
}
