import type { ServerResponse } from "node:http";
import type { ErrorCode } from "@halon/protocol";
import type { Refusal } from "@halon/raft";
import type { AgencyAnswer } from "../core/request.ts";
import type { Member, MemberStatus } from "../member.ts";

/** All that a client learns of a bug. */
export const bugText = "This is a bug in Halon; the log of the node has the details.";

const busyText = JSON.stringify({ message: "Too many requests wait. Try again." });
const lostText =
  "Leadership was lost while the request waited: whether it took place is not known. Inquire.";
const lateText = "Not committed in time: whether it takes place is not known. Inquire.";

const refusals: Readonly<
  Record<Exclude<Refusal, "notLeader">, readonly [status: number, code: ErrorCode]>
> = {
  transferring: [409, "HAL_CONFLICT"],
  full: [429, "HAL_TOO_MANY"],
  changePending: [409, "HAL_CONFLICT"],
  unknownMember: [404, "HAL_NOT_FOUND"],
  lastVoter: [409, "HAL_CONFLICT"],
  behind: [409, "HAL_CONFLICT"],
  tooMany: [409, "HAL_CONFLICT"],
  nothingToDo: [409, "HAL_CONFLICT"],
};

/** Ends the response with a JSON text. */
export function sendJson(
  response: ServerResponse,
  status: number,
  text: string,
  headers: readonly string[] = [],
): void {
  response.sendDate = false;
  response.writeHead(status, [
    "Content-Type",
    "application/json",
    "Content-Length",
    String(Buffer.byteLength(text)),
    ...headers,
  ]);
  // Text rather than bytes: Node then sends head and body in one write.
  response.end(text);
}

/** An error of the agency itself. */
export function sendMessage(response: ServerResponse, status: number, message: string): void {
  sendJson(response, status, JSON.stringify({ message }));
}

/** An error of the framework around it. `errorCode`: on routes that only Halon has, else null. */
export function sendError(
  response: ServerResponse,
  code: number,
  errorCode: ErrorCode | null,
  errorMessage: string,
): void {
  const named = errorCode === null ? {} : { errorCode };
  const body = { code, error: true, ...named, errorMessage, errorNum: code };
  // What the client still sends of a body that is too large is not read.
  sendJson(response, code, JSON.stringify(body), code === 413 ? ["Connection", "close"] : []);
}

/** Sends the client to the leader, at the address that the leader itself has given, never at the request's Host. */
export function redirect(
  response: ServerResponse,
  status: MemberStatus,
  leaderId: string,
  target: string,
): void {
  const address = addressOf(status, leaderId);
  if (address === undefined) {
    sendNoLeader(response);
    return;
  }
  response.writeHead(307, { Location: `http://${address}${target}`, "Content-Length": "0" });
  response.end();
}

export function sendNoLeader(response: ServerResponse): void {
  sendMessage(response, 503, "No leader");
}

/** The address of a member as `host:port`; undefined while it is not known. */
export function addressOf(status: MemberStatus, id: string): string | undefined {
  const member = status.configuration?.members.find((one) => one.id === id);
  const address = member?.address ?? status.pool.get(id);
  return address?.replace(/^[a-z+]+:\/\//, "");
}

/** Ends the response with what came of a request. `target`: path and query, for who is sent on. */
export function sendAnswer(
  response: ServerResponse,
  answer: AgencyAnswer,
  member: Pick<Member, "status">,
  target: string,
): void {
  switch (answer.type) {
    case "written":
      sendJson(response, answer.status, `{"results":[${answer.results.join(",")}]}`);
      break;
    case "json":
      sendJson(response, answer.status, answer.text);
      break;
    case "done":
      sendJson(response, 200, "{}");
      break;
    case "notLeader":
      redirect(response, member.status, answer.leaderId, target);
      break;
    case "noLeader":
      sendNoLeader(response);
      break;
    case "busy":
      sendJson(response, 503, busyText, ["Retry-After", "1"]);
      break;
    case "lostLeadership":
      sendError(response, 503, null, lostText);
      break;
    case "notCommitted":
      sendError(response, 408, null, lateText);
      break;
    case "refused":
      if (answer.reason === "notLeader") sendNoLeader(response);
      else sendError(response, ...refusals[answer.reason], answer.message);
  }
}
