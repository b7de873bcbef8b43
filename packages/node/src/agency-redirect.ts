import type { IncomingMessage, ServerResponse } from "node:http";

/** On a node without a member: sends a request of the agency to a node that has one. False: it is none. */
export function redirectToAgency(
  request: IncomingMessage,
  response: ServerResponse,
  address: string | undefined,
): boolean {
  const url = request.url ?? "";
  if (address === undefined || !/^\/(_api\/agency|_api\/agency_priv|v1\/agency)(\/|\?|$)/.test(url))
    return false;
  response.writeHead(307, { Location: `http://${address}${url}`, "Content-Length": 0 });
  response.end();
  request.resume();
  return true;
}
