import { usage } from "../failure.ts";

/** Values as a person gives them, from the command line, the environment or a file; nothing is checked yet. */
export interface RawSettings {
  readonly dataDir?: string | undefined;
  readonly listen?: string | undefined;
  readonly advertise?: string | undefined;
  readonly name?: string | undefined;
  readonly label?: readonly string[] | undefined;
  readonly join?: readonly string[] | undefined;
  readonly agencySize?: string | undefined;
  readonly local?: string | undefined;
  /** Number of the node within `--local`: what a launcher tells its nodes. */
  readonly localNode?: string | undefined;
  /** Of a flag alone: a file or an environment that is kept would forget at every start. */
  readonly forgetSetup?: boolean | undefined;
  readonly allowRun?: string | undefined;
  readonly apply?: readonly string[] | undefined;
  readonly store?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly logLevel?: string | undefined;
  readonly logFormat?: string | undefined;
  readonly logFile?: string | undefined;
}

/** Reads `HALON_…`; lists are separated by commas. */
export function environmentSettings(
  env: Readonly<Record<string, string | undefined>>,
): RawSettings {
  const text = (name: string) => (env[name] === "" ? undefined : env[name]);
  const list = (name: string) => text(name)?.split(",");
  return {
    dataDir: text("HALON_DATA_DIR"),
    listen: text("HALON_LISTEN"),
    advertise: text("HALON_ADVERTISE"),
    name: text("HALON_NAME"),
    label: list("HALON_LABEL"),
    join: list("HALON_JOIN"),
    agencySize: text("HALON_AGENCY_SIZE"),
    local: text("HALON_LOCAL"),
    allowRun: text("HALON_ALLOW_RUN"),
    apply: list("HALON_APPLY"),
    store: text("HALON_STORE"),
    insecure: flag("HALON_INSECURE", text("HALON_INSECURE")),
    logLevel: text("HALON_LOG_LEVEL"),
    logFormat: text("HALON_LOG_FORMAT"),
    logFile: text("HALON_LOG_FILE"),
  };
}

function flag(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw usage(`Expected ${name} to be true or false, got ${JSON.stringify(value)}.`);
}

/** The first of the layers that says something wins, setting by setting. */
export function layered(layers: readonly RawSettings[]): RawSettings {
  const result: Record<string, unknown> = {};
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer)) {
      if (value !== undefined) result[name] ??= value;
    }
  }
  return result;
}
