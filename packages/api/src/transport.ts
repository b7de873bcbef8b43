import { type ErrorCode, errorCodes, HalonError } from "@halon/protocol";
import { Agent, type Dispatcher, errors, request } from "undici";
import { z } from "zod";
import { deadlineWithin } from "./deadline.ts";

export interface TransportOptions {
  /** URLs, or `host:port`; tried in this order. */
  readonly endpoints: readonly string[];
  readonly timeoutMs: number;
  /** Larger answers are an error. */
  readonly answerBytesMax?: number;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as they are. */
  readonly bytes?: Uint8Array;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Calls a cluster: finds a node that answers, and follows it to the tracking node. */
export interface Transport {
  json<T>(call: Call, schema: z.ZodType<T>): Promise<T>;
  text(call: Call): Promise<string>;
  /** A body without an end; the deadline holds for its beginning. */
  stream(call: Call): Promise<AsyncIterable<Uint8Array>>;
  close(): Promise<void>;
}

/** Two nodes that each believe the other to lead must not keep a client for ever. */
const hopsMax = 5;
const answerBytesMax = 64 * 1024 * 1024;

const ErrorAnswer = z.object({
  errorCode: z.string(),
  errorMessage: z.string().max(100_000),
});

export function createTransport(options: TransportOptions): Transport {
  const endpoints = options.endpoints.map(originOf);
  const agent = new Agent({ connect: { timeout: Math.min(options.timeoutMs, 5_000) } });
  const bytesMax = options.answerBytesMax ?? answerBytesMax;
  const open = (call: Call, signal: AbortSignal) => openAny(agent, endpoints, call, signal);
  const whole = async (call: Call): Promise<string> => {
    const timeoutMs = call.timeoutMs ?? options.timeoutMs;
    const signal = deadline(call, timeoutMs);
    try {
      return await readText((await open(call, signal)).body, bytesMax);
    } catch (error) {
      throw translate(error, call, timeoutMs);
    }
  };
  return {
    json: async (call, schema) => parseAnswer(await whole(call), schema, call),
    text: whole,
    stream: async (call) => {
      const begun = new AbortController();
      const late = setTimeout(
        () => begun.abort(timedOut(call, options.timeoutMs)),
        options.timeoutMs,
      );
      const signals = call.signal === undefined ? [begun.signal] : [begun.signal, call.signal];
      try {
        return (await open(call, AbortSignal.any(signals))).body;
      } catch (error) {
        throw translate(error, call, options.timeoutMs);
      } finally {
        clearTimeout(late);
      }
    },
    close: () => agent.destroy(),
  };
}

/** `host:port`, `http://host:port` and the same with a slash at the end. */
export function originOf(endpoint: string): string {
  const text = /^[a-z]+:\/\//i.test(endpoint) ? endpoint : `http://${endpoint}`;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.protocol !== "http:" || url.pathname !== "/" || url.username !== "") {
    throw new HalonError(
      "HAL_USAGE",
      `Expected an endpoint such as http://127.0.0.1:8528, got ${JSON.stringify(endpoint.slice(0, 200))}.`,
    );
  }
  return url.origin;
}

async function openAny(
  agent: Agent,
  endpoints: readonly string[],
  call: Call,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  let last: unknown;
  for (const endpoint of endpoints) {
    try {
      return await openAt(agent, endpoint, call, signal);
    } catch (error) {
      if (signal.aborted || !isWorthAnotherNode(error, call)) throw error;
      last = error;
    }
  }
  if (last instanceof HalonError) throw last;
  throw new HalonError(
    "HAL_UNREACHABLE",
    `No answer from ${endpoints.join(", ")}: ${reasonOf(last)}. Is halond running there? Choose a node with --endpoint.`,
    { cause: last },
  );
}

/** Goes to where the node sends it; any answer but success becomes an error. */
async function openAt(
  agent: Agent,
  endpoint: string,
  call: Call,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  let url = `${endpoint}${call.path}`;
  for (let hop = 0; hop <= hopsMax; hop++) {
    const response = await request(url, {
      dispatcher: agent,
      method: call.method as Dispatcher.HttpMethod,
      headers: headersOf(call),
      body: bodyOf(call),
      signal,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const { statusCode, headers, body } = response;
    if (statusCode < 300) return response;
    const text = await readText(body, 256 * 1024);
    if (statusCode !== 307) throw errorOf(statusCode, text, url);
    url = next(headers["location"], url);
  }
  throw new HalonError(
    "HAL_NO_LEADER",
    `The nodes send each other's requests on without an end (${hopsMax} hops from ${endpoint}). Try again in a second.`,
  );
}

/** A request that was perhaps carried out is only sent to another node when that changes nothing. */
function isWorthAnotherNode(error: unknown, call: Call): boolean {
  if (error instanceof HalonError) return error.code === "HAL_NO_LEADER";
  if (call.method === "GET" || call.method === "PUT") return true;
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return ["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"].includes(
    code ?? "",
  );
}

function next(location: string | string[] | undefined, from: string): string {
  if (typeof location === "string" && URL.canParse(location, from)) {
    const url = new URL(location, from);
    if (url.protocol === "http:" && url.username === "") return url.href;
  }
  throw new HalonError("HAL_FAILED", `${from} redirects to nowhere. It is not a Halon node.`);
}

function headersOf(call: Call): Record<string, string> {
  if (call.bytes !== undefined) return { "content-type": "application/octet-stream" };
  return call.body === undefined ? {} : { "content-type": "application/json" };
}

function bodyOf(call: Call): Uint8Array | string | null {
  if (call.bytes !== undefined) return call.bytes;
  return call.body === undefined ? null : JSON.stringify(call.body);
}

async function readText(body: Dispatcher.ResponseData["body"], bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      throw new HalonError("HAL_TOO_LARGE", `The answer is larger than ${bytesMax} bytes.`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function errorOf(status: number, text: string, url: string): HalonError {
  const answer = ErrorAnswer.safeParse(safeJson(text));
  if (answer.success && isErrorCode(answer.data.errorCode)) {
    return new HalonError(answer.data.errorCode, answer.data.errorMessage);
  }
  const shown = text.slice(0, 120).replace(/\s+/g, " ").trim();
  return new HalonError(
    status === 503 || status === 502 ? "HAL_UNREACHABLE" : "HAL_FAILED",
    `${new URL(url).origin} answered ${status} and not as a Halon node does: ${JSON.stringify(shown)}. Is it one?`,
  );
}

function parseAnswer<T>(text: string, schema: z.ZodType<T>, call: Call): T {
  const parsed = schema.safeParse(safeJson(text));
  if (parsed.success) return parsed.data;
  const shown = text.slice(0, 120).replace(/\s+/g, " ").trim();
  throw new HalonError(
    "HAL_FAILED",
    `The answer to ${call.method} ${call.path.split("?")[0]} is not what a Halon node gives: ${JSON.stringify(shown)}. Is the endpoint one, of this version?`,
  );
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema refuses it, with the text in the error.
    return undefined;
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}

function deadline(call: Call, timeoutMs: number): AbortSignal {
  return call.signal === undefined
    ? AbortSignal.timeout(timeoutMs)
    : deadlineWithin(timeoutMs, call.signal);
}

function translate(error: unknown, call: Call, timeoutMs: number): unknown {
  if (error instanceof HalonError || call.signal?.aborted === true) return error;
  if (error instanceof Error && error.name === "TimeoutError") return timedOut(call, timeoutMs);
  if (error instanceof errors.UndiciError || (error as NodeJS.ErrnoException).code !== undefined) {
    return new HalonError("HAL_UNREACHABLE", `The connection was lost: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
  return error;
}

function timedOut(call: Call, timeoutMs: number): HalonError {
  return new HalonError(
    "HAL_TIMEOUT",
    `No answer to ${call.method} ${call.path.split("?")[0]} within ${timeoutMs} ms. Allow more with --timeout.`,
  );
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message || error.name : String(error);
}
