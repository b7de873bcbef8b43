import { type ErrorData, HalonError } from "@halon/protocol";
import { describeAddress } from "./calls.ts";
import type { Address } from "./core/pid.ts";
import type { Process } from "./process.ts";
import type { Route, Signal } from "./signal.ts";

/** Why nobody took it. */
export function bounceError(to: Address, reason: "noproc" | "noconnection"): ErrorData {
  return reason === "noproc"
    ? { code: "HAL_NO_PROCESS", message: `There is no process ${describeAddress(to)}.` }
    : { code: "HAL_UNREACHABLE", message: `There is no connection to ${describeAddress(to)}.` };
}

/** The node that an address speaks of. */
export function nodeOfAddress(to: Address, own: string): string {
  return typeof to === "string" ? to.slice(0, to.indexOf("/")) : (to.node ?? own);
}

/** Details may hold anything; a peer gets them only where they can cross. */
export function plainError(error: ErrorData): ErrorData {
  const { code, message, details } = error;
  return details === undefined ? { code, message } : { code, message, details: textOf(details) };
}

function textOf(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(details).map(([key, value]) => [
      key,
      typeof value === "object" || typeof value === "function" ? JSON.stringify(value) : value,
    ]),
  );
}

/** A mailbox at its bound. */
export function fullError({ pid, name, mailbox }: Process): HalonError {
  const what = name === null ? pid : `${pid} ("${name}")`;
  return new HalonError(
    "HAL_MAILBOX_FULL",
    `The mailbox of ${what} is full with ${mailbox.max} messages; send slower or answer faster.`,
  );
}

/** A route that refuses is about to go down, and its end tells all that this would have told. */
export function sendQuietly(route: Route, signal: Signal): void {
  try {
    route.send(signal);
  } catch (error) {
    if (!(error instanceof HalonError)) throw error;
  }
}
