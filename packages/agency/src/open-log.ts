import { HalonError } from "@halon/protocol";
import type { Log, LogOptions } from "./log.ts";

/** Opens the log in a directory, or makes it. */
export async function openLog(options: LogOptions): Promise<Log> {
  throw new HalonError("HAL_NOT_BUILT", `no log in ${options.dir}`);
}
