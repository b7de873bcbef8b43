import { HalonError } from "@halon/protocol";
import type { StartRunner } from "../runner.ts";
import type { Adopt } from "../runtime/runtime.ts";

/** Starts a service through its OCF resource agent; what the agent starts outlives `halond`. */
export const startOcf: StartRunner = () => {
  throw new HalonError("HAL_SERVICE_START", "OCF resource agents cannot be run yet");
};

/** Finds the OCF resources of an earlier `halond`. */
export const adoptOcf: Adopt = async () => undefined;
