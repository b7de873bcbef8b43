import { z } from "zod";

/*
 * What is asked of etcd, in the form of its JSON gateway: bytes are base64, 64-bit numbers are strings, and a field
 * that is zero or empty is left out of an answer.
 */

/** A range of keys: one key, or those from `key` up to and without `end`. */
export interface Range {
  readonly key: string;
  readonly end?: string;
  readonly limit?: number;
  readonly keysOnly?: boolean;
  /** As of then, not of now. */
  readonly revision?: number;
}

export interface Kv {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  /** 0 when the key has none. Decimal text: it does not fit a number. */
  readonly lease: string;
}

/** What a range gave. `count` is of all keys in the range, whatever the limit. */
export interface Found {
  readonly kvs: readonly Kv[];
  readonly count: number;
}

export interface TxnAnswer {
  readonly etcdClusterId: string;
  readonly succeeded: boolean;
  readonly revision: number;
  /** One for each operation; empty for a put or a delete. */
  readonly found: readonly Found[];
}

export interface Txn {
  readonly compare: readonly object[];
  readonly success: readonly object[];
  readonly failure: readonly object[];
}

export const base64 = (data: string | Uint8Array): string =>
  typeof data === "string"
    ? Buffer.from(data, "utf8").toString("base64")
    : Buffer.from(data.buffer, data.byteOffset, data.length).toString("base64");

export const isAbsent = (key: string): object => createdAt(key, 0);

/** Holds while the key is the one that was made then; 0: there is none. */
export const createdAt = (key: string, revision: number): object => ({
  key: base64(key),
  target: "CREATE",
  result: "EQUAL",
  create_revision: String(revision),
});

/** Holds while nobody has written the key since; 0: there is none. */
export const writtenAt = (key: string, revision: number): object => ({
  key: base64(key),
  target: "MOD",
  result: "EQUAL",
  mod_revision: String(revision),
});

export const put = (key: string, value: string | Uint8Array, lease?: string): object => ({
  request_put: {
    key: base64(key),
    value: base64(value),
    ...(lease === undefined ? {} : { lease }),
  },
});

export const get = ({ key, end, limit, keysOnly, revision }: Range): object => ({
  request_range: {
    key: base64(key),
    ...(end === undefined ? {} : { range_end: base64(end) }),
    ...(limit === undefined ? {} : { limit: String(limit) }),
    ...(revision === undefined ? {} : { revision: String(revision) }),
    ...(keysOnly === true ? { keys_only: true } : {}),
  },
});

export const remove = (key: string, end: string): object => ({
  request_delete_range: { key: base64(key), range_end: base64(end) },
});

const number = z.coerce.number().default(0);

const header = z.object({ cluster_id: z.string(), revision: number });

const kv = z
  .object({
    key: z.string(),
    value: z.string().default(""),
    create_revision: number,
    mod_revision: number,
    lease: z.string().default("0"),
  })
  .transform(
    (raw): Kv => ({
      key: Buffer.from(raw.key, "base64").toString("utf8"),
      value: Buffer.from(raw.value, "base64"),
      createRevision: raw.create_revision,
      modRevision: raw.mod_revision,
      lease: raw.lease,
    }),
  );

const found = z
  .object({ kvs: z.array(kv).default([]), count: number })
  .default({ kvs: [], count: 0 });

export const txnAnswer = z
  .object({
    header,
    succeeded: z.boolean().default(false),
    responses: z.array(z.object({ response_range: found })).default([]),
  })
  .transform(
    ({ header, succeeded, responses }): TxnAnswer => ({
      etcdClusterId: header.cluster_id,
      succeeded,
      revision: header.revision,
      found: responses.map(({ response_range }) => response_range),
    }),
  );

export const grantAnswer = z.object({ header, ID: z.string(), TTL: number });
export const revokeAnswer = z.object({ header });
export const keepAliveAnswer = z.object({ result: z.object({ TTL: number }) });

/** One line of a watch. */
export const watchMessage = z.object({
  result: z
    .object({
      header,
      created: z.boolean().default(false),
      canceled: z.boolean().default(false),
      cancel_reason: z.string().default(""),
      compact_revision: number,
      events: z.array(z.object({ type: z.enum(["PUT", "DELETE"]).default("PUT"), kv })).default([]),
    })
    .optional(),
  error: z.unknown().optional(),
});

export type WatchMessage = z.infer<typeof watchMessage>;

const told = z.object({
  message: z.string().default("no reason"),
  code: number,
  grpc_code: number,
});

/** How etcd says no. What answers a stream, as a lease's, has it one level deeper. */
export const refusal = z
  .union([z.object({ error: told }).transform(({ error }) => error), told])
  .transform(({ message, code, grpc_code }) => ({ message, code: grpc_code || code }));
