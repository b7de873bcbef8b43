import type { ErrorCode } from "@halon/protocol";

/**
 * A HalonError by shape.
 *
 * Built here because every worker loads this entry when it starts, and the schemas of the protocol
 * would add a third to that time.
 */
export function halonError(code: ErrorCode, message: string): Error {
  return Object.assign(new Error(message), { name: "HalonError", code, details: {} });
}

/** Throws HAL_CONFIG_INVALID for the first field that is not one of `allowed`. */
export function refuseUnknownFields(what: string, value: object, allowed: readonly string[]): void {
  for (const field of Object.keys(value)) {
    if (allowed.includes(field)) continue;
    const list = allowed.join(", ");
    throw halonError(
      "HAL_CONFIG_INVALID",
      `${what}: unknown field "${field}"; allowed are ${list}. Remove it or correct its spelling.`,
    );
  }
}
