import {
  Batch,
  type KvState,
  type Notification,
  type Outcome,
  type Stamp,
  type WriteTransaction,
} from "@halon/kv";
import type { AgencyAnswer, AgencyRequest } from "./request.ts";

/** A request with its number and the time at which it came. */
export interface Gathered<Request extends AgencyRequest = AgencyRequest> {
  readonly id: number;
  readonly sinceMs: number;
  readonly request: Request;
}

/** Requests that change the replicated tree. */
export type WriteRequest = Extract<AgencyRequest, { readonly type: "write" | "transact" }>;

/** The answers to one request; `at` says when it may be given. */
export interface SequencedAnswer {
  readonly id: number;
  readonly sinceMs: number;
  readonly at: "sequenced" | "committed";
  readonly answer: AgencyAnswer;
}

/** Requests that go into one entry; `entry` is null when none of them changes anything. */
export interface Slice {
  readonly entry: string | null;
  readonly state: KvState;
  readonly notifications: readonly Notification[];
  readonly answers: readonly SequencedAnswer[];
}

/** A slice that has grown to this is closed, so that an entry stays far below the log's limit. */
const sliceCharsMax = 512 * 1024;

/** Sequences the writes of one turn, in order, on the newest state: one entry, or a few when they are large. */
export function sequenceTurn(
  requests: readonly Gathered<WriteRequest>[],
  state: KvState,
  stamp: Stamp,
): readonly Slice[] {
  const slices: Slice[] = [];
  let batch = new Batch(state, stamp);
  let answers: SequencedAnswer[] = [];
  let chars = 0;
  const close = (): void => {
    const { notifications } = batch;
    slices.push({ entry: batch.entry(), state: batch.state, notifications, answers });
  };
  for (const { id, sinceMs, request } of requests) {
    chars += charsOf(request);
    if (chars > sliceCharsMax && answers.length > 0) {
      close();
      batch = new Batch(batch.state, stamp);
      answers = [];
      chars = charsOf(request);
    }
    const answer =
      request.type === "write" ? write(batch, request.transactions) : transact(batch, request);
    const isEarly = request.type === "write" && request.mode !== "waitForCommitted";
    answers.push({ id, sinceMs, at: isEarly ? "sequenced" : "committed", answer });
  }
  if (answers.length > 0) close();
  return slices;
}

/** Characters that a request would add to the log, for bounds. */
export function charsOf(request: AgencyRequest): number {
  if (request.type === "write") {
    return request.transactions.reduce((sum, { text }) => sum + text.length, 0);
  }
  if (request.type !== "transact" && request.type !== "transient") return 0;
  return request.items.reduce(
    (sum, item) => sum + (item.type === "write" ? item.write.text.length : 0),
    0,
  );
}

function write(batch: Batch, transactions: readonly WriteTransaction[]): AgencyAnswer {
  const results: number[] = [];
  let status: 200 | 403 | 412 = 200;
  for (const transaction of transactions) {
    const outcome: Outcome = batch.add(transaction);
    results.push(outcome.type === "applied" ? outcome.index : 0);
    if (outcome.type === "forbidden") status = 403;
    else if (outcome.type === "failed" && status === 200) status = 412;
  }
  return { type: "written", status, results };
}

function transact(
  batch: Batch,
  request: Extract<AgencyRequest, { readonly type: "transact" }>,
): AgencyAnswer {
  const { status, text } = batch.transact(request.items);
  return { type: "json", status, text };
}
