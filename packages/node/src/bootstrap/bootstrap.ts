import type { CompleteSetup, Setup } from "../core/bootstrap-setup.ts";
import type { BootstrapRoutes } from "./routes.ts";

export interface BootstrapOptions {
  /** Absolute, and this process's alone. */
  readonly dataDir: string;
  /** From `loadSetup`, with the port that is listened on (`listensAt`). */
  readonly setup: Setup;
  /** Called before anything is asked of others: from then on these routes are to be answered. */
  hear(routes: BootstrapRoutes): void;
  /** Says lines to the person at the terminal: what is waited for, at once and every 10 s. */
  print(text: string): void;
  /** Aborted: rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/**
 * Finds the other nodes, until the configuration is complete and on this node's disk (rfc/0007).
 *
 * A setup that is complete comes back at once; nobody is asked. Errors: HAL_CONFLICT and what another node
 * answered.
 */
export function bootstrap(_options: BootstrapOptions): Promise<CompleteSetup> {
  return Promise.reject(new Error("not written yet"));
}
