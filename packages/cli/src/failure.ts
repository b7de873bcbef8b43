import { errorCodes, HalonError } from "@halon/protocol";
import { CommanderError } from "commander";

/** What the command line ends with for an error, and what it says: null when that has been said. */
export function failureOf(
  program: string,
  error: unknown,
): { readonly exit: number; readonly text: string | null } {
  if (error instanceof CommanderError) return { exit: error.exitCode === 0 ? 0 : 2, text: null };
  if (error instanceof HalonError) {
    const { exit } = errorCodes[error.code];
    return { exit, text: `${program}: ${error.code}: ${clean(error.message)}\n` };
  }
  if (error instanceof ViolationFound)
    return { exit: 7, text: `${program}: ${clean(error.message)}\n` };
  if (error instanceof DifferencesFound) return { exit: 8, text: null };
  const message = error instanceof Error ? error.message : String(error);
  return {
    exit: errorCodes.HAL_INTERNAL.exit,
    text: `${program}: HAL_INTERNAL: ${clean(message)}. This is a bug in Halon; please report it.\n`,
  };
}

/** At most two lines, and nothing in them that a terminal would obey. */
export function clean(message: string): string {
  const lines = message.split("\n").filter((line) => line.trim() !== "");
  const text = lines.slice(0, 2).join("\n");
  return text.replace(/[^\P{Cc}\n]/gu, " ").slice(0, 2_000);
}

export function usage(message: string): HalonError {
  return new HalonError("HAL_USAGE", message);
}

export function notBuilt(what: string, remedy = ""): HalonError {
  return new HalonError(
    "HAL_NOT_BUILT",
    `${what} is not built yet.${remedy === "" ? "" : ` ${remedy}`}`,
  );
}

/** A check, test or simulation that found what it looks for: exit code 7. */
export class ViolationFound extends Error {}

/** Differences exist: exit code 8. The differences have been shown. */
export class DifferencesFound extends Error {}
