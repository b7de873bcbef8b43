import { HalonError } from "@halon/protocol";
import type { StartRunner } from "../runner.ts";

/** Runs the service in a Node process of its own; it does not outlive `halond`. */
export const startNodeProcess: StartRunner = () => {
  throw new HalonError("HAL_PLATFORM", "not built yet");
};
