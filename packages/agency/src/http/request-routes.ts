import {
  type BadRequest,
  parseInquireRequest,
  parseReadRequest,
  parseTransactRequest,
  parseTransientRequest,
  parseWriteRequest,
} from "@halon/kv";
import type { AgencyRequest, WriteMode } from "../core/request.ts";
import { sendAnswer, sendError, sendJson, sendMessage } from "./answer.ts";
import { readBody } from "./body.ts";
import { attempt, type Call, type Route, targetOf } from "./call.ts";

/** Longest wait of a poll, whatever is asked for. */
const pollSecondsMax = 600;
const pollPartMs = 5_000;

/** What is read from a body: a request for the leader, or why it is none. */
type Parse = (text: string, mode: WriteMode) => AgencyRequest | BadRequest;

/** Routes that the leader answers. A malformed request is refused by any member, before it is sent on. */
export const requestRoutes: readonly (readonly [string, readonly Route[]])[] = [
  post("read", (text) => {
    const parsed = parseReadRequest(text);
    return parsed.ok ? { type: "read", transactions: parsed.reads } : parsed;
  }),
  post("write", (text, mode) => {
    const parsed = parseWriteRequest(text);
    return parsed.ok ? { type: "write", transactions: parsed.writes, mode } : parsed;
  }),
  post("transact", (text) => {
    const parsed = parseTransactRequest(text);
    return parsed.ok ? { type: "transact", items: parsed.items } : parsed;
  }),
  post("transient", (text) => {
    const parsed = parseTransientRequest(text);
    return parsed.ok ? { type: "transient", items: parsed.items } : parsed;
  }),
  post("inquire", (text, mode) => {
    const parsed = parseInquireRequest(text);
    return parsed.ok ? { type: "inquire", ids: parsed.ids, wait: mode !== "noWait" } : parsed;
  }),
  ["/_api/agency/poll", [{ method: "GET", run: poll }]],
];

function post(name: string, parse: Parse): readonly [string, readonly Route[]] {
  const run = (call: Call) =>
    readBody(call, (body) => {
      if (body.type === "refused") {
        if (body.status === 400) sendMessage(call.response, 400, body.message);
        else sendError(call.response, body.status, null, body.message);
        return;
      }
      const mode = modeOf(call);
      const request = parse(body.text, mode);
      if ("ok" in request) sendJson(call.response, request.status, request.body);
      else ask(call, request, mode);
    });
  return [`/_api/agency/${name}`, [{ method: "POST", run }]];
}

/** Header names are case-insensitive, values are exact; an unknown one means that the client knows what it does. */
function modeOf({ request }: Call): WriteMode {
  const mode = request.headers["x-arangodb-agency-mode"];
  if (mode === undefined || mode === "waitForCommitted") return "waitForCommitted";
  return mode === "noWait" ? "noWait" : "waitForSequenced";
}

function ask(call: Call, request: AgencyRequest, mode: WriteMode): void {
  const { member, response } = call;
  attempt(call, () =>
    member.request(request).then((answer) => {
      // Who waits for nothing is not told what came of it.
      if (answer.type === "written" && mode === "noWait") sendJson(response, 200, "{}");
      else sendAnswer(response, answer, member, targetOf(call));
    }),
  );
}

function poll(call: Call): void {
  const query = new URLSearchParams(call.query);
  const index = query.get("index") ?? "0";
  const seconds = query.get("timeout") ?? "60";
  if (!/^\d{1,15}$/.test(index) || !/^\d{1,9}(\.\d{1,9})?$/.test(seconds)) {
    sendMessage(call.response, 400, "Expected index and timeout to be numbers of 0 or more.");
    return;
  }
  const end = performance.now() + Math.min(Number(seconds), pollSecondsMax) * 1_000;
  attempt(call, () => pollUntil(call, Number(index), end));
}

/** In parts: a poll whose client has gone gives up its place at the end of one. */
async function pollUntil(call: Call, index: number, end: number): Promise<void> {
  const { member, response } = call;
  for (;;) {
    const left = Math.max(0, Math.ceil(end - performance.now()));
    const timeoutMs = Math.min(left, pollPartMs);
    const answer = await member.request({ type: "poll", index, timeoutMs });
    const isEmpty = answer.type === "json" && answer.text.endsWith('"log":[]}}');
    if (isEmpty && left > pollPartMs && !response.destroyed) continue;
    sendAnswer(response, answer, member, targetOf(call));
    return;
  }
}
