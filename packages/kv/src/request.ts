import { JsonError, JsonReader } from "./json-reader.ts";
import { limits, Malformed } from "./limits.ts";
import { readOperations, readPreconditions } from "./operations.ts";
import { checkLength, utf8Length } from "./path.ts";
import type { ReadTransaction, TransactItem, WriteTransaction } from "./transaction.ts";

/** A body that was refused whole: nothing of it was done. `body` is the JSON text of the answer. */
export interface BadRequest {
  readonly ok: false;
  readonly status: 400 | 418 | 500;
  readonly message: string;
  readonly body: string;
}

export type ReadRequest = { readonly ok: true; readonly reads: readonly ReadTransaction[] };
export type WriteRequest = { readonly ok: true; readonly writes: readonly WriteTransaction[] };
export type TransactRequest = { readonly ok: true; readonly items: readonly TransactItem[] };
export type InquireRequest = { readonly ok: true; readonly ids: readonly string[] };

/** Body of `read`: arrays of paths. A single query that is no array is answered 418. */
export function parseReadRequest(text: string): ReadRequest | BadRequest {
  return parsed(text, 400, (body) => {
    const reads: ReadTransaction[] = [];
    let stray = 0;
    body.readAll("Expecting array of arrays as body for reads", (reader) => {
      if (reader.take("[")) reads.push(body.readPaths());
      else {
        reader.readValue();
        stray++;
      }
    });
    if (stray === 1 && reads.length === 0) return teapot;
    if (stray > 0) throw new Malformed("Expecting array of arrays as body for reads");
    return { ok: true, reads };
  });
}

const teapot: BadRequest = {
  ok: false,
  status: 418,
  message: "The query is not an array",
  body: "[]",
};

/** Body of `write`: arrays of operations, preconditions and client id. */
export function parseWriteRequest(text: string): WriteRequest | BadRequest {
  return parsed(text, 400, (body) => {
    const writes: WriteTransaction[] = [];
    body.readAll(writesExpected, (reader) => {
      if (!reader.take("[")) throw new Malformed(writesExpected);
      writes.push(body.readWrite());
    });
    if (writes.length === 0) throw new Malformed("Empty request");
    return { ok: true, writes };
  });
}

const writesExpected = "Expecting array of arrays as body for writes";

/** Body of `transact`: writes, whose first element is an object, and reads, whose first element is a string. */
export function parseTransactRequest(text: string): TransactRequest | BadRequest {
  return parsed(text, 400, (body) => {
    const items: TransactItem[] = [];
    body.readAll(itemsExpected, (reader) => {
      if (!reader.take("[")) throw new Malformed(itemsExpected);
      if (reader.peek() === '"') items.push({ type: "read", read: body.readPaths() });
      else items.push({ type: "write", write: body.readWrite() });
    });
    if (items.length === 0) throw new Malformed("Empty request");
    return { ok: true, items };
  });
}

const itemsExpected = "Expecting array of arrays as body for transactions";

/** Body of `transient`, which has the form of `transact`. */
export const parseTransientRequest: (text: string) => TransactRequest | BadRequest =
  parseTransactRequest;

/** Body of `inquire`: an array of client ids. What it refuses is answered 500, as clients of the API expect. */
export function parseInquireRequest(text: string): InquireRequest | BadRequest {
  return parsed(text, 500, (body) => {
    const ids: string[] = [];
    body.readAll("Expecting array of client ids as body for inquiry", () => {
      ids.push(body.readClientId());
    });
    return { ok: true, ids };
  });
}

/**
 * A write of the store's own, from the JSON text of its operations; it may touch `.agency`.
 *
 * Throws when the text is no operations.
 */
export function ownTransaction(text: string): WriteTransaction {
  const reader = new JsonReader(text);
  const operations = readOperations(reader);
  reader.expectEnd();
  return { operations, text, preconditions: [], clientId: null, forbidden: false };
}

function parsed<Request>(
  text: string,
  status: 400 | 500,
  read: (body: Body) => Request | BadRequest,
): Request | BadRequest {
  try {
    const body = new Body(text);
    const request = read(body);
    body.reader.expectEnd();
    return request;
  } catch (error) {
    if (!(error instanceof JsonError) && !(error instanceof Malformed)) throw error;
    const { message } = error;
    return { ok: false, status, message, body: `{"message":${JSON.stringify(message)}}` };
  }
}

/** A cursor over a body that counts what RFC 0005 limits. */
class Body {
  readonly reader: JsonReader;
  #paths = 0;

  constructor(text: string) {
    this.reader = new JsonReader(text);
  }

  /** Calls `readOne` at each element of the outer array. */
  readAll(expected: string, readOne: (reader: JsonReader) => void): void {
    const { reader } = this;
    if (!reader.take("[")) {
      // What is no JSON at all is said to be that.
      reader.readValue();
      throw new Malformed(expected);
    }
    if (reader.take("]")) return;
    let count = 0;
    do {
      if (++count > limits.transactionsMax) {
        throw new Malformed(`More than ${limits.transactionsMax} elements in a request`);
      }
      readOne(reader);
    } while (reader.take(","));
    reader.expect("]");
  }

  /** Takes a read transaction whose bracket has been opened. */
  readPaths(): ReadTransaction {
    const { reader } = this;
    const paths: string[] = [];
    if (reader.take("]")) return paths;
    do {
      this.#count(1);
      const path = reader.readString();
      checkLength(path);
      paths.push(path);
    } while (reader.take(","));
    reader.expect("]");
    return paths;
  }

  /** Takes a write transaction whose bracket has been opened. */
  readWrite(): WriteTransaction {
    const { reader } = this;
    if (reader.peek() !== "{") throw new Malformed("Expecting an object of operations");
    reader.skipSpace();
    const start = reader.position;
    const operations = readOperations(reader);
    const text = reader.text.slice(start, reader.position);
    if (operations.length === 0) throw new Malformed("A transaction without operations");
    this.#count(operations.length);
    let preconditions: WriteTransaction["preconditions"] = [];
    let clientId: string | null = null;
    if (reader.take(",")) {
      if (reader.peek() !== "{") throw new Malformed("Expecting an object of preconditions");
      preconditions = readPreconditions(reader);
      this.#count(preconditions.length);
      if (reader.take(",")) clientId = this.readClientId() || null;
    }
    reader.expect("]");
    return { operations, text, preconditions, clientId, forbidden: operations.some(isGuarded) };
  }

  readClientId(): string {
    if (this.reader.peek() !== '"') throw new Malformed("Expecting a client id, which is a string");
    const id = this.reader.readString();
    if (id.length * 3 > limits.clientIdBytesMax && utf8Length(id) > limits.clientIdBytesMax) {
      throw new Malformed(`A client id is longer than ${limits.clientIdBytesMax} bytes`);
    }
    return id;
  }

  #count(paths: number): void {
    this.#paths += paths;
    if (this.#paths > limits.pathsMax) {
      throw new Malformed(`More than ${limits.pathsMax} paths in a request`);
    }
  }
}

/** Whether the operation is on what the store keeps for itself. */
function isGuarded([path]: readonly [path: string, ...rest: unknown[]]): boolean {
  return path.startsWith("/.agency");
}
