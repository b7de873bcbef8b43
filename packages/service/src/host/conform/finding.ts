/** A check failed, and why. */
export class Finding extends Error {}

/** A check does not apply to the type, and why. */
export class NotForIt extends Error {}

/** What a check that did not fail has to say. */
export interface Verdict {
  readonly outcome: "ok" | "warned";
  readonly detail: string;
}

/** All is as it should be. */
export function ok(detail = ""): Verdict {
  return { outcome: "ok", detail };
}

/** Worth a look, and no failure. */
export function warned(detail: string): Verdict {
  return { outcome: "warned", detail };
}

/** The text of what was thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
