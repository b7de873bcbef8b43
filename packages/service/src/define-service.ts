import { z } from "zod";
import { halonError, refuseUnknownFields } from "./config-error.ts";
import type {
  FileReference,
  OcfServiceOptions,
  ProcessServiceOptions,
  ServiceDefinition,
  SystemdServiceOptions,
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
  "livenessFailures",
  "requires",
  "memoryMb",
  "watchers",
];
/** What says how a service runs, and the fields that only such services have. */
const kinds = {
  start: { what: "for code of its own", fields: ["isolation", "thread", "messages"] },
  process: { what: "for an OS process", fields: [] },
  ocf: { what: "for an OCF agent", fields: [] },
  systemd: { what: "for a systemd unit", fields: [] },
} as const;
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
 * Describes a service type: code of its own when it has `start`, an OS process when it has `process`, an OCF agent when
 * it has `ocf`, a systemd unit when it has `systemd`.
 *
 * Only the fields' names are checked here; `apply` checks their values. Throws HAL_CONFIG_INVALID.
 */
export function defineService<const Schema extends z.ZodObject>(
  options: WorkerServiceOptions<Schema>,
): ServiceDefinition;
export function defineService<const Schema extends z.ZodObject>(
  options: ProcessServiceOptions<Schema>,
): ServiceDefinition;
export function defineService(options: OcfServiceOptions): ServiceDefinition;
export function defineService(options: SystemdServiceOptions): ServiceDefinition;
export function defineService(options: object): ServiceDefinition {
  const given = options as Omit<ServiceDefinition, "kind">;
  const what = `service type "${String(given.name)}"`;
  const fields = Object.values(kinds).flatMap(({ fields }) => fields);
  refuseUnknownFields(what, given, [...commonFields, ...Object.keys(kinds), ...fields]);
  const kind = kindOf(what, given);
  refuseUnknownFields(what, given, [...commonFields, kind, ...kinds[kind].fields]);
  if (given.restart !== undefined) {
    refuseUnknownFields(`${what}, restart`, given.restart, restartFields);
  }
  if (given.process !== undefined) {
    refuseUnknownFields(`${what}, process`, given.process, processFields);
  }
  if (given.systemd !== undefined) {
    refuseUnknownFields(`${what}, systemd`, given.systemd, ["unit"]);
  }
  if (kind === "start" && typeof given.start !== "function") {
    throw halonError("HAL_CONFIG_INVALID", `${what}: start must be a function.`);
  }
  if (given.config === undefined && (kind === "start" || kind === "process")) {
    throw halonError(
      "HAL_CONFIG_INVALID",
      `${what} needs config, a z.object of its configuration; z.object({}) when it has none.`,
    );
  }
  return { ...given, config: given.config ?? z.object({}), kind: "halon.service" };
}

function kindOf(what: string, given: object): keyof typeof kinds {
  const names = Object.keys(kinds) as (keyof typeof kinds)[];
  const [kind, ...others] = names.filter(
    (name) => (given as Readonly<Record<string, unknown>>)[name] !== undefined,
  );
  if (kind !== undefined && others.length === 0) return kind;
  const choices = names.map((name) => `${name} ${kinds[name].what}`).join(", ");
  throw halonError("HAL_CONFIG_INVALID", `${what} needs one of these and no other: ${choices}.`);
}

/** Names a file, relative to the service file, that its OS process needs. */
export function file(path: string): FileReference {
  return { file: path };
}
