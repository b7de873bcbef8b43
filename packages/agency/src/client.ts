import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { HalonError } from "@halon/protocol";
import { z } from "zod";
import { createRouter, type Errand, type Fate, originOf, type Router } from "./client-route.ts";

/** Where the members are, and how long a call may take with all its attempts. */
export interface AgencyClientOptions {
  /** `host:port` or `http://host:port`; tried in this order. */
  readonly endpoints: readonly string[];
  readonly timeoutMs: number;
}

/** What came of write transactions: the index of each, 0 where it was not applied. */
export interface Written {
  /** 403: one touches what is reserved; 412: a precondition failed. The others were applied all the same. */
  readonly status: 200 | 403 | 412;
  readonly results: readonly number[];
}

/** JSON text of an answer, and its status. Integers beyond 2^53 keep their digits only in the text. */
export interface AgencyReply {
  readonly status: number;
  readonly text: string;
}

/** `[operations, preconditions?, clientId?]`. A client id must be used once only. */
export type WriteInput = readonly [
  operations: Readonly<Record<string, unknown>>,
  preconditions?: Readonly<Record<string, unknown>>,
  clientId?: string,
];

/** The agency as functions. Errors are `HalonError`s: HAL_BAD_REQUEST, HAL_NO_LEADER, HAL_UNREACHABLE, HAL_TIMEOUT. */
export interface AgencyClient {
  /** One tree a transaction, each a list of paths. */
  read(transactions: readonly (readonly string[])[]): Promise<readonly unknown[]>;
  /**
   * Applies each transaction at most once: one whose fate is not known is looked up by its client id before it
   * is sent again. HAL_TIMEOUT: it may or may not have taken place.
   */
  write(transactions: readonly WriteInput[]): Promise<Written>;
  /** Sent once: a lost answer is an error. */
  transact(items: readonly unknown[]): Promise<AgencyReply>;
  /** The highest index of each client id, 0 where it is not known. */
  inquire(ids: readonly string[]): Promise<readonly number[]>;
  /** Entries from `index` on, or the whole tree for 0; waits up to `timeoutMs` for the first. */
  poll(index: number, timeoutMs: number): Promise<unknown>;
  /** Of the first endpoint that answers, leader or not. */
  config(): Promise<unknown>;
  /** Any other route: what it answers after redirects, errors included. Sent once if it is not a GET. */
  call(method: "GET" | "POST", path: string, body?: string): Promise<AgencyReply>;
  /** The bytes of a snapshot of the leader's. Errors: HAL_UNREACHABLE; a snapshot that is cut lacks its last line. */
  snapshot(): Promise<AsyncIterable<Uint8Array>>;
  close(): void;
}

type Answered = Extract<Fate, { readonly type: "answer" }>;
/** A transaction with its id, and its place in the request. */
type Pending = readonly [place: number, input: WriteInput, id: string];

const Results = z.object({ results: z.array(z.number()) });

/** Opens no connection before the first call. Errors: HAL_USAGE for an endpoint that is none. */
export function createAgencyClient({ endpoints, timeoutMs }: AgencyClientOptions): AgencyClient {
  const router = createRouter(endpoints);
  const errand = async (errand: Errand, ms = timeoutMs): Promise<AgencyReply> =>
    answered(await router.send(errand, performance.now() + ms));
  const repeatable = async (name: string, body: unknown) =>
    textOf(await errand({ ...post(name, body), isRepeatable: true }));
  return {
    read: async (transactions) =>
      parse(await repeatable("read", transactions), z.array(z.unknown())),
    write: (transactions) => write(router, transactions, performance.now() + timeoutMs),
    transact: (items) => errand(post("transact", items)),
    inquire: async (ids) => {
      const reply = await errand({ ...post("inquire", ids), isRepeatable: true });
      return parse(textOf(reply, [200, 404]), Results).results;
    },
    poll: async (index, waitMs) => {
      const path = `/_api/agency/poll?index=${index}&timeout=${waitMs / 1_000}`;
      const reply = await errand(
        { method: "GET", path, isRepeatable: true, isPatient: true },
        waitMs + timeoutMs,
      );
      return parse(textOf(reply), z.object({ result: z.unknown() })).result;
    },
    config: async () => {
      const path = "/_api/agency/config";
      return parse(textOf(await errand({ method: "GET", path, isRepeatable: true })), z.unknown());
    },
    call: (method, path, body) =>
      errand({
        method,
        path,
        isRepeatable: method === "GET",
        isPatient: true,
        ...(body === undefined ? {} : { body }),
      }),
    snapshot: () => snapshot(endpoints, timeoutMs),
    close: () => router.close(),
  };
}

/** Sends what is left until the fate of every transaction is known. */
async function write(
  router: Router,
  transactions: readonly WriteInput[],
  deadline: number,
): Promise<Written> {
  const results = transactions.map(() => 0);
  let status: Written["status"] = 200;
  let pending: readonly Pending[] = transactions.map((input, place) => [
    place,
    input,
    input[2] ?? randomUUID(),
  ]);
  for (;;) {
    const body = pending.map(([, [operations, preconditions], id]) => [
      operations,
      preconditions ?? {},
      id,
    ]);
    const fate = await router.send(post("write", body), deadline);
    if (fate.type === "answer") {
      const answer = parse(textOf(fate, [200, 403, 412]), Results);
      fill(results, pending, answer.results);
      if (fate.status === 403 || (fate.status === 412 && status === 200)) status = fate.status;
      return { status, results };
    }
    pending = await missing(router, pending, results, fate, deadline);
    if (pending.length === 0) return { status, results };
  }
}

/** Looks up what took place; gives what did not and never will. */
async function missing(
  router: Router,
  pending: readonly Pending[],
  results: number[],
  fate: Extract<Fate, { readonly type: "unknown" }>,
  deadline: number,
): Promise<readonly Pending[]> {
  for (;;) {
    const ids = pending.map(([, , id]) => id);
    const answer = await router
      .send({ ...post("inquire", ids), isRepeatable: true }, deadline)
      .catch((error: unknown) => Promise.reject(unsure(fate.why, error)));
    const found = parse(textOf(answered(answer), [200, 404]), Results).results;
    fill(results, pending, found);
    const rest = pending.filter((_, at) => (found[at] ?? 0) === 0);
    // A silent member may still carry it out, unless another one leads now: what an old leader
    // sequences is never committed (Raft §5.4.1).
    const isOver = fate.isOver || answered(answer).origin !== fate.origin;
    if (isOver || rest.length === 0) return rest;
    if (performance.now() + inquirePauseMs >= deadline) throw unsure(fate.why, undefined);
    await delay(inquirePauseMs);
  }
}

const inquirePauseMs = 100;

function fill(results: number[], pending: readonly Pending[], found: readonly number[]): void {
  for (const [at, [place]] of pending.entries()) results[place] = found[at] ?? 0;
}

/** A long answer, read as it comes: the deadline is for its beginning. */
async function snapshot(
  endpoints: readonly string[],
  timeoutMs: number,
): Promise<AsyncIterable<Uint8Array>> {
  let why = "";
  for (const endpoint of endpoints) {
    const begun = new AbortController();
    const late = setTimeout(() => begun.abort(), timeoutMs);
    try {
      const response = await fetch(`${originOf(endpoint)}/v1/agency/snapshot`, {
        signal: begun.signal,
      });
      if (response.status === 200 && response.body !== null) return response.body;
      why = `${response.status} ${await response.text()}`;
    } catch (error) {
      if (error instanceof HalonError) throw error;
      why = error instanceof Error ? String(error.cause ?? error) : String(error);
    } finally {
      clearTimeout(late);
    }
  }
  throw new HalonError(
    "HAL_UNREACHABLE",
    `No snapshot from ${endpoints.join(", ")}: ${why.slice(0, 200)}. Does a leader run there?`,
  );
}

function post(name: string, body: unknown): Errand & { readonly body: string } {
  const path = `/_api/agency/${name}`;
  return { method: "POST", path, body: JSON.stringify(body), isRepeatable: false };
}

function answered(fate: Fate): Answered {
  if (fate.type === "answer") return fate;
  throw unsure(fate.why, undefined);
}

function unsure(why: string, cause: unknown): HalonError {
  return new HalonError(
    "HAL_TIMEOUT",
    `It is not known whether the request took place: ${why}. Inquire by client id, or read before sending it again.`,
    { cause },
  );
}

/** The text of an answer that has one of the statuses; any other is an error. */
function textOf({ status, text }: AgencyReply, allowed: readonly number[] = [200]): string {
  if (allowed.includes(status)) return text;
  const refused = z.object({ message: z.string() }).safeParse(json(text));
  const what = refused.success ? refused.data.message : text.slice(0, 200);
  throw new HalonError(
    status === 400 ? "HAL_BAD_REQUEST" : status === 413 ? "HAL_TOO_LARGE" : "HAL_FAILED",
    `The agency answered ${status}: ${what}`,
  );
}

function parse<T>(text: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(json(text));
  if (parsed.success) return parsed.data;
  throw new HalonError(
    "HAL_FAILED",
    `The answer is not an agency's: ${JSON.stringify(text.slice(0, 120))}. Is the endpoint one?`,
  );
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Fits no schema, which says so.
    return undefined;
  }
}
