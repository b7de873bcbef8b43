import { setTimeout as delay } from "node:timers/promises";
import { Agent, type Dispatcher } from "undici";
import type { z } from "zod";
import { EtcdFault, faultOf, isFault } from "./fault.ts";
import {
  refusal,
  type Txn,
  type TxnAnswer,
  txnAnswer,
  type WatchMessage,
  watchMessage,
} from "./ops.ts";
import type { Seen } from "./seen.ts";

/** How long one request may take. */
export const callMs = 2_000;
/** Pages are asked for in a size of 4 MiB at most, which base64 makes 5.4 MiB. */
const answerBytesMax = 16 * 1024 * 1024;

/**
 * etcd's JSON gateway, over one endpoint at a time.
 *
 * An endpoint that does not answer, or has no leader, gives way to the next in the list, and what else was under way
 * there is given up.
 */
export class Gateway {
  readonly #endpoints: readonly string[];
  readonly #agent = new Agent({ connect: { timeout: 1_000 }, bodyTimeout: 0, headersTimeout: 0 });
  #at = 0;
  /** What is under way, to be given up when its endpoint is. */
  readonly #flights = new Set<AbortController>();
  /** The highest revision in an answer that came by consensus, and whose. */
  #seen: Seen | undefined;
  #end: EtcdFault | undefined;
  readonly #onRestored: (reason: string) => void;

  constructor(
    endpoints: readonly string[],
    seen: Seen | undefined,
    onRestored: (reason: string) => void,
  ) {
    this.#endpoints = endpoints;
    this.#seen = seen;
    this.#onRestored = onRestored;
  }

  get seen(): Seen | undefined {
    return this.#seen;
  }

  throwIfEnded(): void {
    if (this.#end !== undefined) throw this.#end;
  }

  /** One try. Answers show a store that went back in time: all goes through consensus. */
  async txn(txn: Txn): Promise<TxnAnswer> {
    const before = this.#seen;
    const answer = await this.call("kv/txn", txn, txnAnswer);
    this.#check(before, answer);
    return answer;
  }

  /** One try of `path`. */
  async call<T extends z.ZodType>(
    path: string,
    body: object,
    schema: T,
    deadlineMs: number = callMs,
  ): Promise<z.output<T>> {
    this.throwIfEnded();
    const endpoint = this.#endpoint;
    const flight = new AbortController();
    this.#flights.add(flight);
    const deadline = setTimeout(
      () => flight.abort(new Error(`${deadlineMs} ms are over`)),
      deadlineMs,
    );
    try {
      const response = await this.#post(endpoint, path, JSON.stringify(body), flight.signal);
      const text = await textOf(endpoint, response.body);
      if (response.statusCode !== 200 || text.startsWith('{"error"'))
        throw refusalOf(endpoint, response.statusCode, text);
      return parsed(endpoint, schema, text);
    } catch (error) {
      throw this.#given(endpoint, error);
    } finally {
      clearTimeout(deadline);
      this.#flights.delete(flight);
    }
  }

  /** Calls `take` for each message of a watch until it ends, and rejects with why. */
  async watch(
    creates: readonly object[],
    take: (message: NonNullable<WatchMessage["result"]>) => void,
    ended: AbortSignal,
  ): Promise<never> {
    this.throwIfEnded();
    const endpoint = this.#endpoint;
    const body = creates.map((create) => JSON.stringify({ create_request: create })).join("\n");
    const flight = new AbortController();
    this.#flights.add(flight);
    const end = (): void => flight.abort(new Error("it is not wanted any more"));
    ended.addEventListener("abort", end, { once: true });
    try {
      const response = await this.#post(endpoint, "watch", body, flight.signal);
      for await (const line of lines(endpoint, response.body)) {
        const { result, error } = parsed(endpoint, watchMessage, line);
        if (error !== undefined) throw refusalOf(endpoint, response.statusCode, line);
        if (result !== undefined) take(result);
      }
      throw new EtcdFault("unavailable", `etcd: ${endpoint} ended a watch`);
    } catch (error) {
      if (ended.aborted) throw new EtcdFault("unavailable", "the watch is not wanted any more");
      throw this.#given(endpoint, error);
    } finally {
      ended.removeEventListener("abort", end);
      this.#flights.delete(flight);
    }
  }

  /** Tries again while etcd is unavailable and `isWanted` holds. */
  async retry<T>(once: () => Promise<T>, isWanted: () => boolean): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await once();
      } catch (error) {
        if (!isFault(error, "unavailable") || !isWanted()) throw error;
      }
      // The first round through the endpoints is at once.
      if (failures >= this.#endpoints.length) await delay(Math.min(20 * failures, 200));
      this.throwIfEnded();
    }
  }

  /** Ends everything under way; later calls reject with this reason. */
  end(reason: string): void {
    if (this.#end !== undefined) return;
    this.#end = new EtcdFault("ended", reason);
    for (const flight of this.#flights) flight.abort(this.#end);
    // What it still sends is not of interest, and neither is how it ends.
    void this.#agent.destroy().catch(() => undefined);
  }

  get #endpoint(): string {
    return this.#endpoints[this.#at] ?? "";
  }

  #post(
    endpoint: string,
    path: string,
    body: string,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    return this.#agent.request({
      origin: endpoint,
      path: `/v3/${path}`,
      method: "POST",
      // A watch at a member that has lost its leader ends instead of going silent.
      headers: { "content-type": "application/json", "grpc-metadata-hasleader": "true" },
      body,
      signal,
    });
  }

  /** `before` is what was seen when the question was asked: answers may overtake each other. */
  #check(before: Seen | undefined, { etcdClusterId, revision }: TxnAnswer): void {
    const after = { etcdClusterId, revision };
    if (before === undefined) {
      this.#seen ??= after;
    } else if (before.etcdClusterId !== etcdClusterId) {
      this.#restored(
        `the etcd cluster ${etcdClusterId} answers, and before it was ${before.etcdClusterId}: the store was made anew or restored, or the endpoints are of two clusters`,
      );
    } else if (revision < before.revision) {
      this.#restored(
        `etcd is at revision ${revision}, and was at ${before.revision} before: it was restored from an older copy`,
      );
    }
    if (revision > (this.#seen?.revision ?? 0)) this.#seen = after;
  }

  #restored(reason: string): never {
    this.#onRestored(`etcd: ${reason}`);
    throw this.#end ?? new EtcdFault("ended", reason);
  }

  /** What a failed request means; turns to the next endpoint when this one gave no answer. */
  #given(endpoint: string, error: unknown): EtcdFault {
    if (this.#end !== undefined) return this.#end;
    const fault =
      error instanceof EtcdFault
        ? error
        : new EtcdFault("unavailable", `etcd: ${endpoint} gave no answer: ${String(error)}`, error);
    if (fault.kind === "unavailable" && endpoint === this.#endpoint && this.#endpoints.length > 1) {
      this.#at = (this.#at + 1) % this.#endpoints.length;
      for (const flight of this.#flights) flight.abort(new Error("it was turned away from"));
    }
    return fault;
  }
}

function parsed<T extends z.ZodType>(endpoint: string, schema: T, text: string): z.output<T> {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const shown = JSON.stringify(text.slice(0, 100));
    throw new EtcdFault("refused", `etcd: ${endpoint} does not answer as etcd: ${shown}`, error);
  }
}

function refusalOf(endpoint: string, status: number, text: string): EtcdFault {
  // A proxy in front of it, or no etcd at all.
  if (!text.startsWith("{")) {
    const kind = status >= 500 ? "unavailable" : "refused";
    return new EtcdFault(kind, `etcd: ${endpoint} answered ${status}: ${text.slice(0, 200)}`);
  }
  const { code, message } = parsed(endpoint, refusal, text);
  return faultOf(endpoint, code, message);
}

async function textOf(endpoint: string, body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw tooMuch(endpoint);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function* lines(endpoint: string, body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      yield Buffer.concat([...parts, chunk.subarray(from, at)]).toString("utf8");
      parts = [];
      bytes = 0;
      from = at + 1;
    }
    parts.push(chunk.subarray(from));
    bytes += chunk.length - from;
    if (bytes > answerBytesMax) throw tooMuch(endpoint);
  }
}

const tooMuch = (endpoint: string): EtcdFault =>
  new EtcdFault("tooLarge", `etcd: ${endpoint} sent more than ${answerBytesMax} bytes at once`);
