import type { IncomingMessage, ServerResponse } from "node:http";
import type { Member } from "../member.ts";
import { sendError } from "./answer.ts";
import { type AgencyHttpOptions, attempt, type Route } from "./call.ts";
import { memberRoutes } from "./member-routes.ts";
import { requestRoutes } from "./request-routes.ts";
import { viewRoutes } from "./view-routes.ts";

export type { AgencyHttpOptions } from "./call.ts";

/** Answers a request if its path is one of the agency's; false: it is not, and nothing was done. */
export type AgencyHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/** What existing clients put before a path to name the database; there is but one. */
const databasePrefix = "/_db/_system";

const routes: ReadonlyMap<string, readonly Route[]> = new Map([
  ...requestRoutes,
  ...viewRoutes,
  ...memberRoutes,
]);

/**
 * The routes of the agency over a member (rfc/0005): `/_api/agency/*`, the same below `/_db/_system`,
 * `/_api/agency_priv/gossip`, `/v1/agency/*` and `/_api/version`.
 */
export function agencyHandler(member: Member, options: AgencyHttpOptions): AgencyHandler {
  return (request, response) => {
    const url = request.url ?? "";
    const mark = url.indexOf("?");
    const given = mark < 0 ? url : url.slice(0, mark);
    const path = given.startsWith(`${databasePrefix}/`)
      ? given.slice(databasePrefix.length)
      : given;
    const found = routes.get(path);
    if (found === undefined) {
      if (!isAgencyPath(path)) return false;
      sendError(response, 404, null, `unknown path '${path.slice(0, 200)}'`);
      return true;
    }
    const route = found.find(({ method }) => method === request.method);
    if (route === undefined) {
      response.setHeader("Allow", found.map(({ method }) => method).join(", "));
      sendError(response, 405, null, "method not supported");
      return true;
    }
    const query = mark < 0 ? "" : url.slice(mark + 1);
    const call = { request, response, path, query, member, options };
    attempt(call, () => route.run(call));
    return true;
  };
}

function isAgencyPath(path: string): boolean {
  return /^\/(_api\/agency(_priv)?|v1\/agency)(\/|$)/.test(path);
}
