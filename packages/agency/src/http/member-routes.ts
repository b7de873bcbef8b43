import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import type { AgencyAnswer } from "../core/request.ts";
import type { MemberStatus } from "../member.ts";
import { addressOf, redirect, sendAnswer, sendError, sendJson, sendNoLeader } from "./answer.ts";
import { readBody } from "./body.ts";
import { type Call, isForLeader, type Route, targetOf } from "./call.ts";
import { snapshotBody } from "./snapshot-body.ts";

/** A client of a snapshot that reads nothing for so long is cut off: it holds a whole tree in memory. */
const idleMs = 60_000;

const Address = z.string().regex(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253}):\d{1,5}$/);
const Id = z.string().min(1).max(256);

const GossipRequest = z.object({
  id: z.string().regex(/^AGNT-[0-9a-f-]{36}$/),
  endpoint: z.string().min(1).max(256),
  size: z.number().int().min(1).max(7),
  pool: z
    .record(z.string().max(64), z.string().max(256))
    .refine((pool) => Object.keys(pool).length <= 64),
  cluster: z.string().max(128).nullable().default(null),
});

/** One thing at a time: each waits until the change before it is committed. */
const MembersRequest = z.union([
  z.strictObject({ add: Address, learner: z.boolean().default(false) }),
  z.strictObject({ promote: Id }),
  z.strictObject({ remove: Id }),
]);

const TransferRequest = z.strictObject({ to: Id });

/** Members among themselves, and what an operator does with them. */
export const memberRoutes: readonly (readonly [string, readonly Route[]])[] = [
  ["/_api/agency_priv/gossip", [{ method: "POST", run: gossip }]],
  [
    "/v1/agency/members",
    [
      { method: "GET", run: members },
      { method: "POST", run: changeMembers },
    ],
  ],
  ["/v1/agency/transfer-leader", [{ method: "POST", run: transferLeader }]],
  ["/v1/agency/snapshot", [{ method: "GET", run: snapshot }]],
];

function gossip(call: Call): void {
  parsed(call, GossipRequest, (message) => {
    const answer = call.member.gossip(message);
    if (answer.type === "gossip") {
      sendJson(call.response, 200, JSON.stringify(answer.gossip));
      return;
    }
    const { message: errorMessage, removed } = answer;
    const body = { code: 403, error: true, errorMessage, errorNum: 403, removed };
    sendJson(call.response, 403, JSON.stringify(body));
  });
}

function members(call: Call): void {
  const { response, member } = call;
  const { status } = member;
  if (isForLeader(call)) return;
  const { id, cluster, leaderId, term, commitIndex } = status;
  const shown = status.configuration?.members.map((one) => ({
    id: one.id,
    address: one.address,
    role: roleOf(status, one.id),
    ...ackOf(status, one.id),
  }));
  const body = { id, cluster, leaderId, term, commitIndex, members: shown ?? [] };
  sendJson(response, 200, JSON.stringify(body));
}

function roleOf({ configuration, leaderId }: MemberStatus, id: string): string {
  if (id === leaderId) return "leader";
  if (configuration?.learners.includes(id) === true) return "learner";
  return configuration?.voters.includes(id) === true ? "follower" : "leaving";
}

/** What the leader knows of it; null where another member is asked. */
function ackOf(
  { lastAcked }: MemberStatus,
  id: string,
): { readonly index: number | null; readonly ackedMs: number | null } {
  const acked = lastAcked?.get(id);
  return { index: acked?.index ?? null, ackedMs: acked?.ackedMs ?? null };
}

function changeMembers(call: Call): void {
  const { member, response } = call;
  ownBody(call, MembersRequest, async (change) => {
    if ("add" in change) {
      const { id, answer } = await member.addMember(change.add, { learner: change.learner });
      if (answer.type === "done") sendJson(response, 200, JSON.stringify({ id }));
      else finish(call, answer);
      return;
    }
    const wanted = "promote" in change ? change.promote : change.remove;
    const id = memberOf(call, wanted);
    if (id === undefined) return;
    const list = "promote" in change ? { promote: [id] } : { remove: [id] };
    const answer = await member.request({ type: "changeMembers", change: list });
    if (answer.type === "done") sendJson(response, 200, JSON.stringify({ id }));
    else finish(call, answer);
  });
}

function transferLeader(call: Call): void {
  ownBody(call, TransferRequest, async ({ to }) => {
    const id = memberOf(call, to);
    if (id === undefined) return;
    const answer = await call.member.request({ type: "transferLeader", to: id });
    if (answer.type === "done") sendJson(call.response, 200, JSON.stringify({ leaderId: id }));
    else finish(call, answer);
  });
}

/** The leader's, after a majority has said that it still is: a copy of an old state would look like any other. */
async function snapshot(call: Call): Promise<void> {
  const { member, response } = call;
  const answer = await member.request({ type: "read", transactions: [] });
  if (answer.type !== "json" || answer.status !== 200) {
    finish(call, answer);
    return;
  }
  response.writeHead(200, { "Content-Type": "application/x-ndjson" });
  response.setTimeout(idleMs, () => response.destroy());
  await pipeline(Readable.from(snapshotBody(member.snapshot())), response).catch(
    (error: NodeJS.ErrnoException) => {
      // The client has gone; nobody is left to be told.
      if (error.code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
    },
  );
}

/** The id that is meant by an id or an address; answered 404, 307 or 503 when there is none here. */
function memberOf(call: Call, wanted: string): string | undefined {
  const { status } = call.member;
  const found = status.configuration?.members.find(
    ({ id }) => id === wanted || addressOf(status, id) === wanted,
  );
  if (found !== undefined) return found.id;
  if (status.leaderId === null) sendNoLeader(call.response);
  else if (status.leaderId !== status.id) {
    redirect(call.response, status, status.leaderId, targetOf(call));
  } else {
    const message = `There is no member ${JSON.stringify(wanted)}. \`halonctl agency member list\` shows all.`;
    sendError(call.response, 404, "HAL_NOT_FOUND", message);
  }
  return undefined;
}

function finish(call: Call, answer: AgencyAnswer): void {
  sendAnswer(call.response, answer, call.member, targetOf(call));
}

/** Reads the body of a route that only Halon has: forms of other sites are told by their type. */
function ownBody<S extends z.ZodType>(
  call: Call,
  schema: S,
  run: (body: z.infer<S>) => Promise<void>,
): void {
  const type = call.request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    const message = "Expected the content type application/json.";
    sendError(call.response, 400, "HAL_BAD_REQUEST", message);
    return;
  }
  parsed(call, schema, run);
}

function parsed<S extends z.ZodType>(
  call: Call,
  schema: S,
  run: (body: z.infer<S>) => void | Promise<void>,
): void {
  const refuse = (status: 400 | 413, message: string) =>
    sendError(call.response, status, status === 413 ? "HAL_TOO_LARGE" : "HAL_BAD_REQUEST", message);
  readBody(call, (body) => {
    if (body.type === "refused") {
      refuse(body.status, body.message);
      return;
    }
    const outcome = schema.safeParse(jsonOf(body.text));
    if (outcome.success) return run(outcome.data);
    const issue = outcome.error.issues[0];
    const where = issue === undefined ? "" : z.core.toDotPath(issue.path);
    const what = `${where === "" ? "" : `${where}: `}${issue?.message ?? "wrong"}`;
    refuse(400, `The body is not valid: ${what}.`);
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Fits no schema, which says so.
    return undefined;
  }
}
