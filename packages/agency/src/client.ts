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
  /** Any route, followed to the leader. A body that is sent twice must be harmless: it is, after a lost connection. */
  call(method: "GET" | "POST", path: string, body?: string): Promise<AgencyReply>;
  close(): void;
}

export function createAgencyClient(_options: AgencyClientOptions): AgencyClient {
  throw new Error("not built");
}
