import { Batch } from "./batch.ts";
import { inquire } from "./client-ids.ts";
import { dumpStore, stateDigest } from "./dump.ts";
import { applyEntry } from "./entry.ts";
import { readTransactions } from "./read.ts";
import {
  type BadRequest,
  ownTransaction,
  parseInquireRequest,
  parseReadRequest,
  parseTransactRequest,
  parseTransientRequest,
  parseWriteRequest,
} from "./request.ts";
import { emptyKv, type KvState } from "./state.ts";

/** What a machine answers. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A leader and a follower of one process: bodies in, answers out. The follower sees entries only. */
export class Machine {
  /** Log time and wall time, ms. */
  now = 1_000_000;
  state: KvState = emptyKv;
  transientState: KvState = emptyKv;
  follower: KvState = emptyKv;
  readonly entries: string[] = [];

  /** Begins as a new leader does, with its configuration under `/.agency`. */
  constructor() {
    const configuration =
      '{"term":1,"id":"AGNT-1","active":["AGNT-1"],"pool":{"AGNT-1":"tcp://127.0.0.1:1"},"size":1,"timeoutMult":1}';
    const batch = this.#begin();
    batch.add(ownTransaction(`{"/.agency":{"op":"set","new":${configuration}}}`));
    this.#end(batch);
  }

  /** Answers the body of a request to an endpoint, as a member that is alone does. */
  post(endpoint: string, body: string): Answer {
    switch (endpoint) {
      case "read":
        return this.#read(body);
      case "write":
        return this.#write(body);
      case "transact":
        return this.#transact(body);
      case "transient":
        return this.#transient(body);
      case "inquire":
        return this.#inquire(body);
      default:
        throw new Error(`no endpoint ${endpoint}`);
    }
  }

  stores(): string {
    const stamp = { logTime: this.now, wallTime: this.now };
    const store = dumpStore(this.state, stamp);
    return `{"spearhead":${store},"read_db":${store},"transient":${dumpStore(this.transientState, stamp)}}`;
  }

  /** Digests of leader and follower. */
  digests(): readonly [leader: string, follower: string] {
    return [stateDigest(this.state), stateDigest(this.follower)];
  }

  #begin(): Batch {
    return new Batch(this.state, { logTime: this.now, wallTime: this.now });
  }

  #end(batch: Batch): void {
    const entry = batch.entry();
    this.state = batch.state;
    if (entry === null) return;
    this.entries.push(entry);
    this.follower = applyEntry(this.follower, entry).state;
  }

  #read(body: string): Answer {
    const request = parseReadRequest(body);
    if (!request.ok) return refused(request);
    const text = readTransactions(this.state, request.reads, this.now);
    return text === null ? { status: 500, body: "{}" } : { status: 200, body: text };
  }

  #write(body: string): Answer {
    const request = parseWriteRequest(body);
    if (!request.ok) return refused(request);
    const batch = this.#begin();
    const outcomes = request.writes.map((write) => batch.add(write));
    this.#end(batch);
    const types = new Set(outcomes.map(({ type }) => type));
    const status = types.has("forbidden") ? 403 : types.has("failed") ? 412 : 200;
    const results = outcomes.map((outcome) => (outcome.type === "applied" ? outcome.index : 0));
    return { status, body: JSON.stringify({ results }) };
  }

  #transact(body: string): Answer {
    const request = parseTransactRequest(body);
    if (!request.ok) return refused(request);
    const batch = this.#begin();
    const { status, text } = batch.transact(request.items);
    this.#end(batch);
    return { status, body: text };
  }

  #transient(body: string): Answer {
    const request = parseTransientRequest(body);
    if (!request.ok) return refused(request);
    const batch = new Batch(this.transientState, { logTime: this.now, wallTime: this.now });
    const { status, text } = batch.transient(request.items);
    this.transientState = batch.state;
    return { status, body: text };
  }

  #inquire(body: string): Answer {
    const request = parseInquireRequest(body);
    if (!request.ok) return refused(request);
    const results = inquire(this.state, request.ids);
    const status = results.includes(0) ? 404 : 200;
    return { status, body: JSON.stringify({ results, inquired: true }) };
  }
}

function refused({ status, body }: BadRequest): Answer {
  return { status, body };
}
