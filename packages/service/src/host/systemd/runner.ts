import { HalonError } from "@halon/protocol";
import type { StartRunner } from "../runner.ts";

/** Starts a systemd unit of the node. */
export const startSystemd: StartRunner = () => {
  throw new HalonError("HAL_SERVICE_START", "systemd units cannot be run yet");
};
