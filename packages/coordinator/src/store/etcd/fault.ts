import { HalonError } from "@halon/protocol";

/**
 * Why etcd did not do what was asked.
 *
 * `unavailable`: no answer, or no leader; whether it was done is unknown, and asking again may help.
 * `compacted`: the revision asked for is not kept any more. `ended`: this handle is over.
 * `refused`: all else that etcd says no to; asking again does not help.
 */
export type FaultKind =
  | "unavailable"
  | "noSpace"
  | "unauthenticated"
  | "compacted"
  | "tooLarge"
  | "noLease"
  | "refused"
  | "ended";

export class EtcdFault extends Error {
  readonly kind: FaultKind;

  constructor(kind: FaultKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "EtcdFault";
    this.kind = kind;
  }
}

export const isFault = (error: unknown, kind: FaultKind): error is EtcdFault =>
  error instanceof EtcdFault && error.kind === kind;

/** An answer of etcd with an error in it. `code` is one of gRPC. */
export function faultOf(endpoint: string, code: number, message: string): EtcdFault {
  const say = (kind: FaultKind, text: string) => new EtcdFault(kind, `etcd: ${endpoint} ${text}`);
  if (/database space exceeded/u.test(message)) {
    return say(
      "noSpace",
      "is out of space (NOSPACE): free space or raise its quota, then clear the alarm with etcdctl alarm disarm",
    );
  }
  if (
    code === grpc.unauthenticated ||
    code === grpc.permissionDenied ||
    /user name is empty|invalid auth token|authentication/u.test(message)
  ) {
    const remedy = "Halon sends no user: let the prefix be read and written without one";
    return say("unauthenticated", `asks for a user (${message}). ${remedy}`);
  }
  if (/has been compacted/u.test(message)) return say("compacted", `says: ${message}`);
  if (/request is too large|larger than max/u.test(message)) {
    return say(
      "tooLarge",
      `takes no request of this size (${message}): start it with --max-request-bytes 1572864 or more`,
    );
  }
  if (code === grpc.notFound && /lease/u.test(message)) return say("noLease", `says: ${message}`);
  const kind = passing.has(code) ? "unavailable" : "refused";
  return say(kind, `says: ${message}`);
}

const grpc = { notFound: 5, permissionDenied: 7, unauthenticated: 16 };
/** Cancelled, unknown, deadline exceeded, resource exhausted (too many requests), aborted, internal, unavailable. */
const passing: ReadonlySet<number> = new Set([1, 2, 4, 8, 10, 13, 14]);

/** As callers of the store know it. */
export function storeFailed(error: unknown): HalonError {
  if (error instanceof HalonError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new HalonError("HAL_STORE_FAILED", message, { cause: error });
}
