import { HalonError } from "@halon/protocol";
import type { StartRunner } from "../runner.ts";

/** Starts an OS process in a session of its own; it outlives `halond`. */
export const startProcess: StartRunner = () => {
  throw new HalonError("HAL_NOT_BUILT", "OS processes are not built yet");
};
