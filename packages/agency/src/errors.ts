import { HalonError } from "@halon/protocol";

const remedy =
  "Restore the directory from a backup, or remove it and let this node join again from another member or a snapshot.";

/** A file of the store cannot be what was written there. */
export function damaged(file: string, offset: number, what: string): HalonError {
  return new HalonError(
    "HAL_STORE_DAMAGED",
    `${file} is damaged at offset ${offset}: ${what}. Nothing was changed. ${remedy}`,
    { details: { file, offset } },
  );
}

/** The disk refused; a `HalonError` passes through, since it says more. */
export function diskRefused(dir: string, cause: unknown): HalonError {
  if (cause instanceof HalonError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new HalonError(
    "HAL_STORE_FAILED",
    `The disk under ${dir} refused: ${reason}. Nothing more is acknowledged. Free or repair the disk, then start again.`,
    { cause, details: { dir } },
  );
}
