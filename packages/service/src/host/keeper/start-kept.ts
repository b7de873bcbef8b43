import { HalonError } from "@halon/protocol";
import type { StartRunner } from "../runner.ts";

/**
 * Starts an instance under a keeper: a small process that ends it, its group and its session, when its lease ends.
 *
 * `spec.lease` must be there. Of the kinds `process`, `node-process` and `worker`; a worker type runs as a Node process.
 */
export const startKept: StartRunner = () => {
  throw new HalonError("HAL_PLATFORM", "not built yet");
};
