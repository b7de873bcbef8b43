/**
 * Every error code that leaves Halon: HTTP status, exit code of the command line, and meaning.
 *
 * Codes are permanent and never used again for something else. The table in the README is held equal.
 */
export const errorCodes = {
  HAL_BAD_REQUEST: {
    http: 400,
    exit: 2,
    meaning: "the request does not have the shape that the route expects",
  },
  HAL_USAGE: {
    http: 400,
    exit: 2,
    meaning: "a command line option is unknown, missing or out of range",
  },
  HAL_CONFIG_INVALID: {
    http: 400,
    exit: 2,
    meaning: "a configuration file or cluster file is not valid",
  },
  HAL_SCHEMA_VIOLATION: {
    http: 400,
    exit: 2,
    meaning: "a configuration or event does not fit its schema",
  },
  HAL_COMPILE_FAILED: {
    http: 400,
    exit: 1,
    meaning: "a TypeScript file does not compile or throws when loaded",
  },
  HAL_EVENT_UNKNOWN: {
    http: 400,
    exit: 2,
    meaning: "no rule file and no part of Halon declares this type of event",
  },
  HAL_UNAUTHORIZED: { http: 401, exit: 1, meaning: "the request needs a token" },
  HAL_FORBIDDEN: {
    http: 403,
    exit: 1,
    meaning: "a foreign Origin or Host, or a listener that is not allowed",
  },
  HAL_NOT_FOUND: {
    http: 404,
    exit: 3,
    meaning: "there is no such route, node, service or operation",
  },
  HAL_METHOD_NOT_ALLOWED: { http: 405, exit: 2, meaning: "the route does not know this method" },
  HAL_CONFLICT: { http: 409, exit: 4, meaning: "the present state does not allow it" },
  HAL_NAME_TAKEN: {
    http: 409,
    exit: 4,
    meaning: "another instance holds the service name on the node",
  },
  HAL_CARDINALITY: { http: 409, exit: 4, meaning: "a relation would exceed what its ends allow" },
  HAL_TOO_LARGE: { http: 413, exit: 1, meaning: "a body, frame, record or blob is over its limit" },
  HAL_TOO_MANY: { http: 429, exit: 1, meaning: "a bounded queue is full; try again" },
  HAL_OVERLOADED: {
    http: 503,
    exit: 5,
    meaning: "a queue of the node is full; nothing was taken, try again in a second",
  },
  HAL_INTERNAL: { http: 500, exit: 1, meaning: "a bug in Halon" },
  HAL_NOT_BUILT: { http: 501, exit: 1, meaning: "not built yet" },
  HAL_NO_LEADER: { http: 503, exit: 5, meaning: "no recovery coordinator can be reached" },
  HAL_UNREACHABLE: { http: 503, exit: 5, meaning: "the node does not answer" },
  HAL_TIMEOUT: { http: 504, exit: 6, meaning: "no answer before the deadline" },
  HAL_FAILED: { http: 500, exit: 1, meaning: "the operation ended without success" },
  HAL_PORT_IN_USE: { http: 500, exit: 1, meaning: "the address to listen on is taken" },
  HAL_DATA_DIR_LOCKED: { http: 500, exit: 4, meaning: "another halond uses the data directory" },
  HAL_DATA_DIR_VERSION: {
    http: 500,
    exit: 1,
    meaning: "the data directory was written by another format version",
  },
  HAL_DATA_DIR_INVALID: { http: 500, exit: 1, meaning: "the data directory cannot be used" },
  HAL_STORE_DAMAGED: { http: 500, exit: 1, meaning: "a file of the store is damaged" },
  HAL_STORE_FAILED: {
    http: 503,
    exit: 1,
    meaning: "the disk refused a write; nothing more is acknowledged",
  },
  HAL_STORE_FENCED: { http: 503, exit: 5, meaning: "a newer epoch owns the store" },
  HAL_BLOB_MISSING: { http: 409, exit: 4, meaning: "no node has the code that is named" },
  HAL_BLOB_MISMATCH: {
    http: 400,
    exit: 1,
    meaning: "the bytes do not have the hash they were named by",
  },
  HAL_SERVICE_LOAD: { http: 500, exit: 1, meaning: "a service file throws or does not load" },
  HAL_SERVICE_START: { http: 500, exit: 1, meaning: "a service failed while starting" },
  HAL_SERVICE_NOT_READY: { http: 500, exit: 1, meaning: "a service was not ready in time" },
  HAL_SERVICE_NOT_RUNNING: { http: 409, exit: 4, meaning: "there is no such instance to act on" },
  HAL_COMMAND_STALE: {
    http: 409,
    exit: 4,
    meaning: "the command is of a deposed coordinator or past its deadline",
  },
  HAL_RESOURCE_REFUSED: {
    http: 409,
    exit: 4,
    meaning: "the type does not declare this kind of resource",
  },
  HAL_MAILBOX_FULL: { http: 429, exit: 1, meaning: "the mailbox of a process is full" },
  HAL_NO_PROCESS: { http: 404, exit: 3, meaning: "there is no process with this pid or name" },
  HAL_LINK_REFUSED: {
    http: 403,
    exit: 1,
    meaning: "the peer is of another cluster, version or name",
  },
  HAL_PLATFORM: { http: 500, exit: 1, meaning: "this platform is not supported" },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An error that a person or a program outside sees: what happened, with the values, and what to do. */
export class HalonError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      readonly cause?: unknown;
      readonly details?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "HalonError";
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** A HalonError as plain data: errors lose their class between threads. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export function toErrorData(error: unknown): ErrorData {
  if (error instanceof HalonError)
    return { code: error.code, message: error.message, details: error.details };
  return { code: "HAL_INTERNAL", message: error instanceof Error ? error.message : String(error) };
}

export function fromErrorData(data: ErrorData): HalonError {
  return new HalonError(data.code, data.message, { details: data.details ?? {} });
}
