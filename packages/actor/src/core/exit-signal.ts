import type { ExitReason } from "./behaviour.ts";

/** What an exit signal does to the process that gets it. */
export type ExitEffect = "ignore" | "deliver" | "end" | "kill";

/**
 * The table of OTP: an asked-for `killed` cannot be trapped, one that came through a link can; a linked process that
 * ended `normal` takes nobody with it.
 */
export function exitEffect(signal: {
  readonly reason: ExitReason;
  readonly linked: boolean;
  readonly trapping: boolean;
}): ExitEffect {
  if (signal.reason === "killed" && !signal.linked) return "kill";
  if (signal.trapping) return "deliver";
  return signal.reason === "normal" ? "ignore" : "end";
}

/** A reason as a line of text. */
export function describeReason(reason: ExitReason): string {
  return typeof reason === "string" ? reason : `${reason.error.code}: ${reason.error.message}`;
}
