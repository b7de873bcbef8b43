import type { AgencyAnswer, Replica } from "@halon/agency/core";
import { parseReadRequest, parseWriteRequest } from "@halon/kv";
import { burstKeys } from "./clients.ts";
import type { SimAnswer, SimRequest } from "./process.ts";

type ReplicaRequest = Extract<Parameters<Replica["step"]>[0], { type: "request" }>["request"];

/** A request as the replica takes it. */
export function requestOf(request: SimRequest): ReplicaRequest {
  switch (request.type) {
    case "read": {
      const parsed = parseReadRequest(JSON.stringify([[`/r/${request.key}`]]));
      if (!parsed.ok) throw new Error(parsed.message);
      return { type: "read", transactions: parsed.reads };
    }
    case "write":
    case "cas": {
      const parsed = parseWriteRequest(JSON.stringify([transactionOf(request)]));
      if (!parsed.ok) throw new Error(parsed.message);
      return { type: "write", transactions: parsed.writes, mode: "waitForCommitted" };
    }
    case "inquire":
      return { type: "inquire", ids: [request.clientId], wait: true };
    case "changeMembers":
      return request;
    case "transfer":
      return { type: "transferLeader", to: request.to };
  }
}

function transactionOf(request: SimRequest & { readonly type: "write" | "cas" }): unknown {
  const path = `/r/${request.key}`;
  const set = { op: "set", new: request.value };
  // What nobody reads may expire, so that states differ when members do not agree on the time.
  const operations = { [path]: request.key < burstKeys ? set : { ...set, ttl: 1 } };
  if (request.type === "write") return [operations, {}, request.clientId];
  const condition = request.expected === null ? { oldEmpty: true } : { old: request.expected };
  return [operations, { [path]: condition }, request.clientId];
}

/** An answer of the replica; `key` is that of a read. */
export function answerOf(answer: AgencyAnswer, key: number): SimAnswer {
  switch (answer.type) {
    case "written":
      if (answer.status === 200) return { type: "ok", value: null };
      return answer.status === 412 ? { type: "failed" } : { type: "refused", reason: "forbidden" };
    case "json":
      if (answer.status !== 200) return { type: "unknown" };
      return { type: "ok", value: valueIn(answer.text, key) };
    case "done":
      return { type: "ok", value: null };
    case "lostLeadership":
    case "notCommitted":
      return { type: "unknown" };
    case "refused":
    case "notLeader":
    case "noLeader":
    case "busy":
      return answer;
  }
}

/** What a read or an inquiry tells: the register, or the index of the write. */
function valueIn(text: string, key: number): number | null {
  const answer: AnswerText = JSON.parse(text);
  if ("results" in answer) return answer.results[0] ?? null;
  return answer[0]?.r?.[key] ?? null;
}

type AnswerText =
  | { readonly results: readonly number[] }
  | readonly { readonly r?: Readonly<Record<string, number>> }[];
