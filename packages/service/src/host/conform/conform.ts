import type { ConformOptions, ConformReport } from "./report.ts";

/**
 * Drives the type of a service file through the contract of services, without a cluster, in a temporary directory.
 *
 * Every check has an instance and a deadline of its own; a check that fails ends no other. Throws HAL_NOT_FOUND when there is no such
 * file, and HAL_USAGE when the configuration that was given does not fit, or none can be made up.
 */
export async function conformService(
  _path: string,
  _options: ConformOptions = {},
): Promise<ConformReport> {
  throw new Error("not there yet");
}
