/** What an exit code of a resource agent says of the resource or of the call. */
export type Means =
  | "success"
  | "running"
  | "degraded"
  | "notRunning"
  | "failed"
  | "misconfigured"
  | "unimplemented"
  | "unusable";

/** An exit code by the table of OCF 1.1. */
export interface Meaning {
  readonly code: number;
  /** The table's word. */
  readonly word: string;
  readonly means: Means;
}

const table: Readonly<Record<number, readonly [string, Means]>> = {
  0: ["success", "success"],
  1: ["generic error", "failed"],
  2: ["invalid argument", "misconfigured"],
  3: ["unimplemented", "unimplemented"],
  4: ["insufficient privileges", "unusable"],
  5: ["not installed", "unusable"],
  6: ["not configured", "misconfigured"],
  7: ["not running", "notRunning"],
  8: ["running, promoted", "running"],
  9: ["failed, promoted", "failed"],
  190: ["degraded", "degraded"],
  191: ["degraded, promoted", "degraded"],
};

/** The meaning of a code; one that the table does not know counts as a generic error, and says so. */
export function meaningOf(code: number): Meaning {
  const [word, means] = table[code] ?? ["a code that OCF does not know", "failed"];
  return { code, word, means };
}
