import type { IncomingMessage, ServerResponse } from "node:http";
import type { Member, MemberOptions } from "../member.ts";
import { bugText, redirect, sendError, sendNoLeader } from "./answer.ts";

/** What the routes show beside the member's own status, and where they report bugs. */
export interface AgencyHttpOptions
  extends Pick<
    MemberOptions,
    | "advertise"
    | "agencySize"
    | "electionMinMs"
    | "electionMaxMs"
    | "compactionStep"
    | "compactionKeep"
  > {
  /** Of the product. */
  readonly version: string;
  /** Told of bugs, which the client sees only as 500. */
  readonly onFault: (error: unknown) => void;
}

/** One request on its way to its answer. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Without prefix and query. */
  readonly path: string;
  /** After the `?`; empty when there is none. */
  readonly query: string;
  readonly member: Member;
  readonly options: AgencyHttpOptions;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** May throw, or reject: the client sees 500, the log the error. */
  readonly run: (call: Call) => void | Promise<void>;
}

/** Path and query as a redirect repeats them. */
export function targetOf({ path, query }: Call): string {
  return query === "" ? path : `${path}?${query}`;
}

/** Whether the leader is asked for by `?redirectToLeader=true` and is another: then the request is answered. */
export function isForLeader(call: Call): boolean {
  const { response, member, query } = call;
  const { status } = member;
  if (new URLSearchParams(query).get("redirectToLeader") !== "true") return false;
  if (status.leaderId === status.id) return false;
  if (status.leaderId === null) sendNoLeader(response);
  else redirect(response, status, status.leaderId, targetOf(call));
  return true;
}

/** Does a part of the work; a bug in it becomes 500, and ends neither the process nor the other requests. */
export function attempt(call: Call, work: () => void | Promise<void>): void {
  try {
    work()?.catch((error: unknown) => fail(call, error));
  } catch (error) {
    fail(call, error);
  }
}

function fail({ response, options }: Call, error: unknown): void {
  options.onFault(error);
  if (response.headersSent) response.destroy();
  else sendError(response, 500, null, bugText);
}
