import { type ErrorCode, errorCodes, HalonError } from "@halon/protocol";

/** The body of every error, as rfc/0003 has it. */
export interface ErrorBody {
  readonly error: true;
  readonly code: number;
  readonly errorCode: ErrorCode;
  readonly errorMessage: string;
}

/** What a client sees of an error. A bug shows neither its message nor its stack: they may hold anything. */
export function errorBodyOf(error: unknown): ErrorBody {
  if (!(error instanceof HalonError)) {
    return bodyOf("HAL_INTERNAL", "This is a bug in Halon; the log of the node has the details.");
  }
  return bodyOf(error.code, error.message);
}

function bodyOf(errorCode: ErrorCode, errorMessage: string): ErrorBody {
  return { error: true, code: errorCodes[errorCode].http, errorCode, errorMessage };
}
