import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { dumpStore, dumpTree, type KvState } from "@halon/kv";
import type { LoggedTransaction } from "../core/logged.ts";
import type { MemberStatus } from "../member.ts";
import { sendError, sendJson, sendMessage } from "./answer.ts";
import { readBody } from "./body.ts";
import { type AgencyHttpOptions, type Call, isForLeader, type Route } from "./call.ts";

/** Pieces of long answers, in characters: little enough for one turn of the event loop. */
const pieceLength = 64 * 1024;

/** What any member shows of itself. */
export const viewRoutes: readonly (readonly [string, readonly Route[]])[] = [
  ["/_api/version", [{ method: "GET", run: version }]],
  ["/_api/agency/config", [{ method: "GET", run: config }]],
  ["/_api/agency/state", [{ method: "GET", run: state }]],
  ["/_api/agency/stores", [{ method: "GET", run: stores }]],
  ["/_api/agency/store", [{ method: "POST", run: store }]],
];

function version({ response, options }: Call): void {
  const body = { server: "halon", license: "community", version: options.version };
  sendJson(response, 200, JSON.stringify(body));
}

function config({ response, member, options }: Call): void {
  sendJson(response, 200, JSON.stringify(configOf(member.status, options)));
}

/** The members of `config`, spelled as existing clients read them; times in seconds. */
function configOf(status: MemberStatus, options: AgencyHttpOptions): unknown {
  const lastAcked = status.lastAcked === null ? {} : { lastAcked: ackedOf(status) };
  return {
    term: status.term,
    leaderId: status.leaderId ?? "",
    commitIndex: status.commitIndex,
    lastCompactionAt: status.lastCompactionAt,
    nextCompactionAfter: status.nextCompactionAfter,
    ...lastAcked,
    configuration: {
      pool: poolOf(status),
      active: status.configuration?.voters ?? [],
      id: status.id,
      "agency size": options.agencySize,
      "pool size": options.agencySize,
      endpoint: `tcp://${options.advertise}`,
      "min ping": options.electionMinMs / 1_000,
      "max ping": options.electionMaxMs / 1_000,
      timeoutMult: status.timeoutMult,
      supervision: false,
      "supervision frequency": 1,
      "compaction step size": options.compactionStep,
      "compaction keep size": options.compactionKeep,
      "supervision grace period": 10,
      version: status.version,
      startup: status.startup,
    },
    engine: "halon",
    version: options.version,
    role: status.role,
    reason: status.reason,
    cluster: status.cluster,
  };
}

function poolOf(status: MemberStatus): Readonly<Record<string, string>> {
  const known =
    status.configuration === null
      ? [...status.pool]
      : status.configuration.members.map(({ id, address }) => [id, address] as const);
  return Object.fromEntries(
    known.map(([id, address]) => [id, address.includes("://") ? address : `tcp://${address}`]),
  );
}

function ackedOf({ id, lastAcked }: MemberStatus): unknown {
  const seconds = (ms: number) => Math.floor(ms) / 1_000;
  return Object.fromEntries(
    [...(lastAcked ?? [])].map(([peer, { ackedMs, index, appendMs }]) => [
      peer,
      {
        lastAckedTime: peer === id ? 0 : seconds(ackedMs),
        lastAckedIndex: index,
        ...(peer === id || appendMs === null ? {} : { lastAppend: seconds(appendMs) }),
      },
    ]),
  );
}

async function state(call: Call): Promise<void> {
  if (isForLeader(call)) return;
  const { status, view } = call.member;
  const { committed, logTime } = view;
  const head = `{"index":${committed.index},"term":${status.term},"agency":${dumpTree(committed, logTime)},"log":[`;
  await sendPieces(call, statePieces(head, view.log()));
}

function* statePieces(head: string, log: Iterable<LoggedTransaction>): Generator<string> {
  yield head;
  let isFirst = true;
  for (const entry of log) {
    yield `${isFirst ? "" : ","}${loggedText(entry)}`;
    isFirst = false;
  }
  yield "]}";
}

function loggedText({ index, term, operations, clientId, wallTime }: LoggedTransaction): string {
  const timestamp = `${new Date(wallTime).toISOString().slice(0, 19).replace("T", " ")} UTC`;
  const key = String(index).padStart(20, "0");
  const client = JSON.stringify(clientId ?? "");
  return `{"_key":"${key}","term":${term},"request":${operations},"clientId":${client},"timestamp":"${timestamp}","epoch_millis":${wallTime}}`;
}

/** Sends a text that may be long in chunks, and waits for a client that reads slowly. */
async function sendPieces({ response }: Call, pieces: Iterable<string>): Promise<void> {
  response.writeHead(200, { "Content-Type": "application/json" });
  let piece = "";
  for (const text of pieces) {
    piece += text;
    if (piece.length < pieceLength) continue;
    const isTaken = response.write(piece);
    piece = "";
    if (response.destroyed) return;
    if (isTaken) await nextTurn();
    else await Promise.race([once(response, "drain"), once(response, "close")]);
  }
  response.end(piece);
}

function stores({ response, member }: Call): void {
  const { committed, sequenced, transient, logTime } = member.view;
  const now = { logTime, wallTime: Date.now() };
  const shown = (one: KvState) => dumpStore(one, now);
  sendJson(
    response,
    200,
    `{"spearhead":${shown(sequenced ?? committed)},"read_db":${shown(committed)},"transient":${shown(transient)}}`,
  );
}

function store(call: Call): void {
  const { response, member } = call;
  readBody(call, (body) => {
    if (body.type === "refused") sendError(response, body.status, null, body.message);
    else if (!/^\s*\d{1,15}\s*$/.test(body.text)) {
      sendMessage(response, 400, "Expected the body to be an index.");
    } else {
      const at = member.view.at(Number(body.text));
      sendJson(response, 200, dumpTree(at, member.view.logTime));
    }
  });
}
