import type { z } from "zod";
import { halonError, refuseUnknownFields } from "./config-error.ts";
import type {
  FileReference,
  ProcessServiceOptions,
  ServiceDefinition,
  WorkerServiceOptions,
} from "./definition.ts";

const commonFields = [
  "name",
  "serviceName",
  "version",
  "config",
  "resources",
  "restart",
  "startTimeout",
  "stopTimeout",
  "checkEvery",
  "checkTimeout",
  "memoryMb",
];
const restartFields = [
  "resetAfter",
  "backoff",
  "backoffMax",
  "maxFailures",
  "window",
  "configTries",
];
const processFields = [
  "command",
  "env",
  "ready",
  "check",
  "liveness",
  "stopCommand",
  "stopSignal",
  "outputBytesMax",
];

/**
 * Describes a service type: a worker when it has `start`, an OS process when it has `process`.
 *
 * Only the fields' names are checked here; `apply` checks their values. Throws HAL_CONFIG_INVALID.
 */
export function defineService<const Schema extends z.ZodObject>(
  options: WorkerServiceOptions<Schema>,
): ServiceDefinition;
export function defineService<const Schema extends z.ZodObject>(
  options: ProcessServiceOptions<Schema>,
): ServiceDefinition;
export function defineService(options: object): ServiceDefinition {
  const given = options as Omit<ServiceDefinition, "kind">;
  const what = `service type "${String(given.name)}"`;
  refuseUnknownFields(what, given, [...commonFields, "start", "process"]);
  if (given.restart !== undefined) {
    refuseUnknownFields(`${what}, restart`, given.restart, restartFields);
  }
  if ((given.process === undefined) === (given.start === undefined)) {
    throw halonError(
      "HAL_CONFIG_INVALID",
      `${what} needs either start, for a worker, or process, for an OS process.`,
    );
  }
  if (given.process !== undefined) {
    refuseUnknownFields(`${what}, process`, given.process, processFields);
  } else if (typeof given.start !== "function") {
    throw halonError("HAL_CONFIG_INVALID", `${what}: start must be a function.`);
  }
  return { ...given, kind: "halon.service" };
}

/** Names a file, relative to the service file, that its OS process needs. */
export function file(path: string): FileReference {
  return { file: path };
}
